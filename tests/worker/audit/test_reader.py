from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from service.artifacts.store import ArtifactStore
from service.domain.job import Image
from service.spec.cohort import Preprocessing
from tests.support.jobs import write_image
from worker.audit.image_decoder import ImageDecoder
from worker.audit.reader import PageReader, make_batch, read_ahead
from worker.inputs.cache import FileCache
from worker.inputs.image_bytes import image_opener
from worker.inputs.resolver import InputResolver

HERE = InputResolver((Path("/"),), ArtifactStore("/nowhere"), FileCache(Path("/nowhere")))
SMALL = ImageDecoder(image_opener(HERE), Preprocessing(size=(12, 12)))


def reader(last_try: bool = False) -> PageReader:
    return PageReader(replace(SMALL, last_try=last_try))


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    random = np.random.default_rng(0)
    return [Image(n, f"{n}.png", "ab"[n % 2], str(write_image(tmp_path / f"{n}.png", random))) for n in range(7)]


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_every_image_is_read_once_and_in_order_at_any_page_size(images: list[Image], size: int) -> None:
    pages = list(read_ahead(images, lambda: size, reader()))
    assert [len(page.to_score) for page in pages] == [len(images[at : at + size]) for at in range(0, 7, size)]
    assert [each.image.number for page in pages for each in page.to_score] == [0, 2, 4, 6, 1, 3, 5]
    assert all(note.sha256 and not note.skipped for page in pages for note in page.checked)


def test_pages_shrink_if_the_page_size_falls_during_the_reading(images: list[Image]) -> None:
    sizes = iter([4, 1, 1, 1])
    assert [len(page.to_score) for page in read_ahead(images, lambda: next(sizes), reader())] == [4, 1, 1, 1]


def test_an_unreadable_image_or_human_map_is_skipped_with_the_reason(images: list[Image], tmp_path: Path) -> None:
    Path(images[1].path).write_bytes(b"no picture")
    lacking = Image(9, "9.png", "b", images[0].path, human=str(tmp_path / "gone.png"))
    packed = Image(10, "10.png", "b", images[0].path, human="tar:artifact:sha256:00!/512+9")
    (page,) = read_ahead([*images[:2], lacking, packed], lambda: 8, reader())
    assert [each.image.number for each in page.to_score] == [0]
    reasons = [note.skipped or "" for note in page.checked]
    assert reasons[0] == ""
    assert "known format" in reasons[1]
    assert reasons[2] == f"its human map {lacking.human}: No such file or directory"
    assert reasons[3].startswith("its human map: 'artifact:sha256:00' is not an artifact")


def test_a_batch_has_class_numbers_and_the_human_maps_of_its_images(images: list[Image], tmp_path: Path) -> None:
    Picture.fromarray(np.full((5, 5), 51, dtype=np.uint8)).save(tmp_path / "human.png")
    mapped = [Image(n, "x", label, images[n].path, str(tmp_path / "human.png")) for n, label in ((0, "b"), (1, None))]
    (page,) = read_ahead(mapped, lambda: 8, reader())
    batch = make_batch(page.to_score, {"b": 1}, torch.device("cpu"))
    assert batch.labels.tolist() == [-1, 1]
    assert batch.human is not None
    assert torch.allclose(batch.human, torch.full((2, 12, 12), 0.2))
    (plain,) = read_ahead(images[:2], lambda: 8, reader())
    assert make_batch(plain.to_score, {"a": 0, "b": 1}, torch.device("cpu")).human is None


def test_an_unreadable_archive_raises_an_error_but_on_the_last_try_its_images_are_skipped() -> None:
    lost = [Image(0, "0.png", "a", "tar:/proc/self/mem!/0+10")]  # reading this file is an input/output error
    with pytest.raises(OSError, match="Input/output error"):
        list(read_ahead(lost, lambda: 1, reader()))
    (page,) = read_ahead(lost, lambda: 1, reader(last_try=True))
    assert "Input/output error" in (page.checked[0].skipped or "")
