import json
from pathlib import Path

import pytest

from service.errors import SpecInvalid, SpecUnreadable
from service.spec.files import parse_spec, read_spec


def test_paths_are_resolved_against_the_folder_of_the_spec_and_uris_do_not_change(tmp_path: Path) -> None:
    path = tmp_path / "jobs" / "spec.json"
    path.parent.mkdir()
    runs = [{"uri": "../m.pt"}, {"uri": "file:///m.pt"}, {"uri": 3}]
    path.write_text(json.dumps({"cohorts": [{"runs": runs}], "images": {"uri": "pictures"}}))
    spec = read_spec(path)
    assert [run["uri"] for run in spec["cohorts"][0]["runs"]] == [(tmp_path / "m.pt").as_uri(), "file:///m.pt", 3]
    assert spec["images"]["uri"] == (path.parent / "pictures").as_uri()


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_a_spec_file_without_a_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spec.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SpecUnreadable, match=r"spec\.json"):
        read_spec(path)


def test_a_spec_without_a_required_field_is_refused_with_the_name_of_the_field() -> None:
    with pytest.raises(SpecInvalid, match="images: Field required"):
        parse_spec({"cohorts": [{"name": "c", "runs": [{"uri": "u"}]}]})


def test_a_path_with_a_colon_is_resolved_and_a_label_named_uri_does_not_change(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    body = {"labels": {"uri": "kept"}, "cohorts": [{"runs": [{"uri": "m/run:1.pth"}]}]}
    path.write_text(json.dumps(body))
    spec = read_spec(path)
    assert spec["labels"] == {"uri": "kept"}
    assert spec["cohorts"][0]["runs"][0]["uri"] == (tmp_path / "m" / "run:1.pth").as_uri()
