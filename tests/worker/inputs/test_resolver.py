import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from service.errors import InputRefused
from service.spec.cohort import Model
from tests.support.image_sets import WAYS, add, images_of, model_at
from tests.support.jobs import AuditInputs, write_image
from tests.support.pretrained import make_vit, save_pretrained
from worker.inputs.decode import UnreadableImage
from worker.inputs.image_bytes import image_opener
from worker.inputs.resolver import InputResolver
from worker.models.metadata import read_metadata


@pytest.fixture
def folder(ingredients: AuditInputs, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingredients.images, tmp_path / "pictures"))


@pytest.mark.parametrize("way", WAYS)
def test_an_image_set_has_the_same_images_and_labels_in_every_format(
    places: InputResolver, folder: Path, tmp_path: Path, way: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    entries = list(places.list_images(str(WAYS[way](folder, out))))
    read = image_opener(places)
    found = sorted((entry.label or "", read(entry.path)) for entry in entries)
    assert found == sorted((label, content) for _, label, content in images_of(folder))
    assert len({entry.name for entry in entries}) == len(entries)


def lie(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../outside.png", b"x")


def absolute(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        add(archive, "/etc/outside.png", b"x")


def link(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)


def hard_link(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.type, member.linkname = tarfile.LNKTYPE, "../../etc/passwd"
        archive.addfile(member)


def device(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.type = tarfile.CHRTYPE
        archive.addfile(member)


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(200 * 2**20))


def tar_bomb(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        add(archive, "a.png", bytes(200 * 2**20))


def cut_zip(path: Path) -> None:
    lie(path)
    path.write_bytes(path.read_bytes()[:-30])


def cut_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        add(archive, "a.png", np.random.default_rng(0).bytes(100_000))
    path.write_bytes(path.read_bytes()[:50_000])


def cut_parquet(path: Path) -> None:
    path.write_bytes(b"PAR1" + bytes(100))


HOSTILE: list[tuple[Callable[[Path], None], str]] = [
    (lie, "leads out of the archive"),
    (absolute, "leads out of the archive"),
    (link, "a link to '/etc/passwd'"),
    (hard_link, "a link to"),
    (device, "not a regular file"),
    (zip_bomb, "would grow"),
    (tar_bomb, "would grow"),
    (cut_zip, "damaged"),
    (cut_tar, "damaged"),
    (cut_parquet, "damaged"),
]


@pytest.mark.parametrize(("make", "message"), HOSTILE, ids=lambda each: getattr(each, "__name__", ""))
def test_a_hostile_archive_of_images_is_refused(
    places: InputResolver, tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "set")
    with pytest.raises(InputRefused, match=message):
        list(places.list_images(str(tmp_path / "set")))


@pytest.mark.parametrize(("make", "message"), [each for each in HOSTILE if "parquet" not in each[0].__name__])
def test_a_hostile_model_archive_is_refused_and_leaves_no_files(
    places: InputResolver, tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "set")
    if zipfile.is_zipfile(tmp_path / "set"):
        with zipfile.ZipFile(tmp_path / "set", "a") as archive:
            archive.writestr("config.json", "{}")
    before = sorted(Path("/etc").iterdir())
    with pytest.raises(InputRefused, match=f"{message}|damaged|no known model format"):
        model_at(places, str(tmp_path / "set"))
    assert sorted(Path("/etc").iterdir()) == before
    assert not (tmp_path / "outside.png").exists()


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_of_a_models_folder_is_unpacked_once(places: InputResolver, tmp_path: Path, kind: str) -> None:
    folder = save_pretrained(make_vit(), tmp_path / "vit")
    packed = shutil.make_archive(str(tmp_path / "packed"), kind, tmp_path, "vit")
    found = model_at(places, packed)
    assert read_metadata(found, Model()) == read_metadata(folder, Model())
    assert model_at(places, packed) == found


def test_a_link_to_an_image_outside_the_roots_is_not_read(places: InputResolver, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write_image(outside / "secret.png", np.random.default_rng(0))
    inside.mkdir()
    (inside / "a.png").symlink_to(outside / "secret.png")
    narrow = InputResolver((inside,), places.artifacts, places.cache)
    (entry,) = narrow.list_images(str(inside))
    with pytest.raises(UnreadableImage, match="outside the allowed roots"):
        image_opener(narrow)(entry.path)


def test_an_image_missing_from_its_archive_is_unreadable(places: InputResolver, folder: Path, tmp_path: Path) -> None:
    path = WAYS["zip"](folder, tmp_path)
    entry = next(places.list_images(str(path)))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.png", io.BytesIO().getvalue())
    with pytest.raises(UnreadableImage, match="cannot be read from its archive"):
        image_opener(places)(entry.path)


@pytest.mark.parametrize("uri", ["artifact:sha256:abc", f"artifact:sha256:{'0' * 64}"])
def test_a_missing_artifact_is_refused(places: InputResolver, uri: str) -> None:
    with pytest.raises(InputRefused, match="artifact"):
        model_at(places, uri)
