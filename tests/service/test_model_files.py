import zipfile
from pathlib import Path

import pytest

from service.errors import ModelRefused
from service.model_files import sniff


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return path


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["m/data.pkl", "m/data/0"], "checkpoint"),
        (["m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"], "torchscript"),
    ],
)
def test_an_archive_is_told_by_its_content(tmp_path: Path, names: list[str], kind: str) -> None:
    assert sniff(archive(tmp_path / "any.name", *names)) == kind


def test_an_old_pickle_is_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    path.write_bytes(b"\x80\x02rest")
    assert sniff(path) == "checkpoint"


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04cut short"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(content)
    with pytest.raises(ModelRefused, match=r"m\.pt"):
        sniff(path)


def test_a_folder_and_a_foreign_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="not a file"):
        sniff(tmp_path)
    with pytest.raises(ModelRefused, match="none of what is read"):
        sniff(archive(tmp_path / "docs.zip", "readme.txt"))
