from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.errors import ImagesRefused
from service.inputs.image_sets.listing import ImageSetLocation
from worker.inputs.parquet import list_table


def names(path: Path, image: Any, **columns: Any) -> list[tuple[str, str | None]]:
    pq.write_table(pa.table({"image": image, **columns}), path)
    return [(each.name, each.label) for each in list_table(ImageSetLocation.local(path), [path.parent])]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([b"bytes"], "'image' has the type binary"),
        ([1], "'image' has the type int64"),
        ([["a.png"]], "'image' has the type list"),
        ([{"path": "a.png"}], "'image' has the type struct"),
        ([{"bytes": b"x"}], "'image' has the type struct"),
        ([None, "a.png"], "row 0 has no image"),
    ],
)
def test_a_column_without_images_is_refused_with_the_required_type(tmp_path: Path, image: Any, message: str) -> None:
    with pytest.raises(ImagesRefused, match=message):
        names(tmp_path / "set.parquet", image)


def test_names_and_labels_can_be_dictionary_encoded(tmp_path: Path) -> None:
    image, label = (pa.array([text]).dictionary_encode() for text in ("a.png", "cat"))
    assert names(tmp_path / "set.parquet", image, label=label) == [("a.png", "cat")]


@pytest.mark.parametrize("label", [1.5, b"cat", {"name": "cat"}])
def test_the_refusal_of_an_invalid_label_names_the_row(tmp_path: Path, label: Any) -> None:
    with pytest.raises(ImagesRefused, match="row 0"):
        names(tmp_path / "set.parquet", ["a.png"], label=[label])


def test_group_columns_are_read_beside_the_label(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    columns = {"image": ["a.png", "b.png"], "label": ["real", "fake"], "camera": [7, None]}
    pq.write_table(pa.table(columns), path)
    found = list(list_table(ImageSetLocation(path, str(path), ("camera",)), [tmp_path]))
    assert [each.groups for each in found] == [("7",), (None,)]
    with pytest.raises(ImagesRefused, match="no column 'sex'"):
        list(list_table(ImageSetLocation(path, str(path), ("sex",)), [tmp_path]))
