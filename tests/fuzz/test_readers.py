"""Tests with randomly damaged files: each must be read, or refused with InputRefused or UnreadableImage.

Damage flips, removes, repeats or inserts bytes. Manifests are also generated from random text.
"""

import csv
import io
import os
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

from service.errors import InputRefused
from service.inputs.model_files import find_model
from service.spec.cohort import Preprocessing
from tests.support import image_sets as sets
from tests.support.jobs import AuditInputs
from worker.inputs.decode import UnreadableImage, decode
from worker.inputs.resolver import InputResolver
from worker.models.weights import read_weights

# The number of examples for each kind of file. Each run has the same examples, unless FUZZ_EXAMPLES is set.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
IS_DEFAULT = EXAMPLES == 60
FUZZED = settings(
    max_examples=EXAMPLES, derandomize=IS_DEFAULT, deadline=None, database=None, suppress_health_check=[*HealthCheck]
)
KINDS = ("set.zip", "set.tar", "set.tar.gz", "set.csv", "manifest.parquet", "00000.tar", "00001.tar")
MAX_ENTRIES = 50_000  # far more than any tested image set has; a longer listing never ends
SMALL = Preprocessing(size=(8, 8))
Damage = Callable[[bytes], bytes]
Save = Callable[[Image.Image, BytesIO], None]


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """Draw a function that damages a file at a few places. The places are shares of the file's size."""
    kinds = st.sampled_from(["flip", "cut", "repeat", "insert", "end", "number"])
    places = st.floats(0, 1, exclude_max=True)
    change = st.tuples(kinds, places, st.integers(0, 255), st.binary(max_size=12))
    changes = draw(st.lists(change, min_size=1, max_size=6))

    def damage(content: bytes) -> bytes:
        for kind, place, value, more in changes:
            at, found = int(place * max(1, len(content))), content
            content = {
                "flip": found[:at] + bytes([value]) + found[at + 1 :],
                "cut": found[:at] + found[at + value :],
                "repeat": found[:at] + found[at : at + value] + found[at:],
                "insert": found[:at] + more + found[at:],
                "end": found[:at],
                "number": found[:at] + b"\xff" * (value % 9) + found[at + value % 9 :],
            }[kind]
        return content

    return damage


def plain(name: str) -> str:
    """Return a name without the characters that an archive cannot store, such as a zero byte."""
    return name.encode(errors="ignore").decode().replace("\0", "") or "x"


def list_all(places: InputResolver, path: Path) -> None:
    """List an image set as a worker does. The listing must end, or be refused with a message."""
    try:
        for number, _ in enumerate(places.list_images(str(path))):
            assert number < MAX_ENTRIES
    except InputRefused as refused:
        assert str(refused)


@pytest.fixture(scope="module")
def whole(ingredients: AuditInputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the content of an undamaged image set in each file format, by file name."""
    out = tmp_path_factory.mktemp("whole")
    made = [make(ingredients.images, out) for make in (sets.as_zip, sets.as_tar, sets.as_packed_tar, sets.as_csv)]
    shards = sets.as_webdataset(ingredients.images, out)
    made += [sets.as_parquet_manifest(ingredients.images, out), *sorted(shards.iterdir())]
    return {path.name: path.read_bytes() for path in made}


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_image_set_is_listed_or_refused(
    whole: dict[str, bytes], name: str, places: InputResolver, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(whole[name])
    assert list(places.list_images(str(path)))

    @FUZZED
    @given(damages())
    def damaged(damage: Damage) -> None:
        path.write_bytes(damage(whole[name]))
        list_all(places, path)

    damaged()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_random_manifest_is_listed_or_refused(kind: str, places: InputResolver, tmp_path: Path) -> None:
    path = tmp_path / f"set.{kind}"
    head = {"csv": "image,label,human_map\n", "jsonl": '{"image": "'}[kind]
    hostile = st.sampled_from(["../../etc/passwd", "file:///etc/passwd", "\0", '"', "x.png"])
    cells = st.text(max_size=30) | hostile

    @FUZZED
    @given(st.lists(st.lists(cells, max_size=4), max_size=6), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
    def random_manifest(rows: list[list[str]], coded: str) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        path.write_bytes((head + text.getvalue()).encode(coded, errors="ignore"))
        list_all(places, path)

    random_manifest()


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_no_listed_image_has_a_path_that_leaves_its_archive(pack: str, places: InputResolver, tmp_path: Path) -> None:
    path = tmp_path / f"set.{pack}"
    names = st.text(max_size=20) | st.sampled_from(["/etc/x.png", "../x.png", "a/../../x.png", "..\\x.png", "x.png"])

    @FUZZED
    @given(st.lists(st.tuples(names, st.binary(max_size=9)), max_size=4))
    def packed(members: list[tuple[str, bytes]]) -> None:
        if pack == "zip":
            with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
                warnings.simplefilter("ignore")  # zipfile warns of duplicate names
                for name, content in members:
                    archive.writestr(plain(name), content)
        else:
            with tarfile.open(path, "w") as tar:
                for name, content in members:
                    sets.add(tar, plain(name), content)
        try:
            found = list(places.list_images(str(path)))
        except InputRefused:
            return
        assert not any(part in ("..", "") for each in found for part in Path(each.name).parts if part != "/")

    packed()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM"])
def test_a_damaged_image_is_decoded_or_skipped(kind: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    out = BytesIO()
    Image.fromarray(values).save(out, kind)
    assert decode(out.getvalue(), SMALL).shape == (3, 8, 8)

    @FUZZED
    @given(damages())
    def damaged(damage: Damage) -> None:
        try:
            found = decode(damage(out.getvalue()), SMALL)
        except UnreadableImage as unreadable:
            assert str(unreadable)
            return
        assert found.shape == (3, 8, 8)
        assert found.min() >= 0 and found.max() <= 1

    damaged()


@pytest.mark.parametrize("kind", ["pth", "safetensors", "archive"])
def test_a_damaged_checkpoint_is_read_or_refused(kind: str, ingredients: AuditInputs, tmp_path: Path) -> None:
    state = {"conv.weight": torch.ones(4, 3, 3, 3), "conv.bias": torch.zeros(4), "steps": torch.tensor(7)}
    out = BytesIO()
    torch.save({"state_dict": state, "epoch": 3}, out)
    content = {"pth": out.getvalue(), "safetensors": save(state), "archive": ingredients.models[0].read_bytes()}[kind]
    path = tmp_path / f"model.{kind}"

    @FUZZED
    @given(damages())
    def damaged(damage: Damage) -> None:
        path.write_bytes(damage(content))
        try:
            find_model(path)
            found = read_weights(path)
        except InputRefused as refused:
            assert str(refused)
            return
        assert all(isinstance(each, torch.Tensor) for each in found.values())

    damaged()
