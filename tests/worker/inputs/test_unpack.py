import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.errors import InputRefused
from tests.support.image_sets import model_at
from worker.inputs.decode import UnreadableImage
from worker.inputs.image_bytes import image_opener
from worker.inputs.resolver import InputResolver


def packed(path: Path, names: Sequence[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("config.json", *names):
            archive.writestr(name, "{}")
    return path


def locked(path: Path) -> Path:
    """Make an archive that declares its only member encrypted."""
    content = bytearray(packed(path, []).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a/b"], "cannot be unpacked"),
        (["a/b", "a"], "cannot be unpacked"),
        (["a" * 300], "cannot be unpacked"),
        ([f"{n}" for n in range(10_000)], "more than 10,000 members"),
    ],
    ids=["a file, then a folder", "a folder, then a file", "a long name", "many files"],
)
def test_an_archive_that_cannot_be_unpacked_is_refused_and_leaves_no_files(
    places: InputResolver, tmp_path: Path, names: Sequence[str], message: str
) -> None:
    with pytest.raises(InputRefused, match=message):
        model_at(places, str(packed(tmp_path / "m.zip", names)))
    assert list((places.cache.folder / "partial").iterdir()) == []


def test_an_encrypted_archive_is_refused(places: InputResolver, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="encrypted"):
        model_at(places, str(locked(tmp_path / "m.zip")))


def test_a_pipe_among_images_is_skipped_at_once(places: InputResolver, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UnreadableImage, match="not a regular file"):
        image_opener(places)(str(tmp_path / "a.png"))
