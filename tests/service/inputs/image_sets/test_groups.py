"""Tests that manifests of every format give the values of group columns for each image."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageSetLocation, list_images

ROWS: list[dict[str, str | None]] = [
    {"image": "a.png", "label": "fake", "attack": "print, glossy", "camera": "x"},
    {"image": "b.png", "label": "real", "attack": None, "camera": "\u00e9\u202e<script>"},
]


def as_csv(folder: Path) -> Path:
    path = folder / "set.csv"
    lines = ["camera,image,label,attack", 'x,a.png,fake,"print, glossy"', "\u00e9\u202e<script>,b.png,real,"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_json_lines(folder: Path) -> Path:
    path = folder / "set.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS))
    return path


def as_webdataset(folder: Path) -> Path:
    path = folder / "set.tar"
    with tarfile.open(path, "w") as archive:
        for row in ROWS:
            for name, content in ((row["image"], b"p"), (f"{row['image']}"[0] + ".json", json.dumps(row).encode())):
                member = tarfile.TarInfo(str(name))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("make", [as_csv, as_json_lines, as_webdataset])
def test_each_image_has_its_values_of_the_group_columns_or_none_for_an_empty_value(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    location = ImageSetLocation(make(tmp_path), "set", ("attack", "camera"))
    found = {entry.name: (entry.label, entry.groups) for entry in list_images(location, [Path("/")])}
    assert found == {
        "a.png": ("fake", ("print, glossy", "x")),
        "b.png": ("real", (None, "\u00e9\u202e<script>")),
    }


def test_a_group_column_that_a_table_lacks_is_refused_with_a_list_of_its_columns(tmp_path: Path) -> None:
    with pytest.raises(ImagesRefused, match="no column 'sex'; its columns are 'camera', 'image'") as refused:
        list(list_images(ImageSetLocation(as_csv(tmp_path), "set", ("sex",)), [Path("/")]))
    assert refused.value.facts["field"] == "images.groups"


def test_a_group_value_with_a_zero_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"image": "a.png", "camera": "x\0y"}))
    with pytest.raises(ImagesRefused, match="zero byte"):
        list(list_images(ImageSetLocation(path, "set", ("camera",)), [Path("/")]))
