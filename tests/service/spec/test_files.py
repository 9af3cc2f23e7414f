import json
from pathlib import Path

import pytest

from service.errors import SpecInvalid, SpecUnreadable
from service.spec.files import parse_spec, read_spec


def test_paths_are_relative_to_the_specs_folder_and_uris_stay(tmp_path: Path) -> None:
    path = tmp_path / "jobs" / "spec.json"
    path.parent.mkdir()
    runs = [{"uri": "../m.pt"}, {"uri": "file:///m.pt"}, {"uri": 3}]
    path.write_text(json.dumps({"cohorts": [{"runs": runs}], "images": {"uri": "pictures"}}))
    spec = read_spec(path)
    assert [run["uri"] for run in spec["cohorts"][0]["runs"]] == [(tmp_path / "m.pt").as_uri(), "file:///m.pt", 3]
    assert spec["images"]["uri"] == (path.parent / "pictures").as_uri()


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spec.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SpecUnreadable, match=r"spec\.json"):
        read_spec(path)


def test_a_spec_that_lacks_a_field_is_refused_by_its_name() -> None:
    with pytest.raises(SpecInvalid, match="images: Field required"):
        parse_spec({"cohorts": [{"name": "c", "runs": [{"uri": "u"}]}]})


def test_a_colon_in_a_path_is_no_scheme_and_a_label_named_uri_is_no_place(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    body = {"labels": {"uri": "kept"}, "cohorts": [{"runs": [{"uri": "m/run:1.pth"}]}]}
    path.write_text(json.dumps(body))
    spec = read_spec(path)
    assert spec["labels"] == {"uri": "kept"}
    assert spec["cohorts"][0]["runs"][0]["uri"] == (tmp_path / "m" / "run:1.pth").as_uri()
