from pathlib import Path
from typing import Any

import pytest

from service.artifacts.store import ArtifactStore
from service.errors import FieldProblem
from service.jobs.validation.fields import InputLocator, find_problems
from tests.support.jobs import AuditInputs

ROOT = (Path("/"),)


def find(ingredients: AuditInputs, **changes: Any) -> list[FieldProblem]:
    return find_problems(ingredients.spec(**changes), InputLocator(ROOT, ArtifactStore("/nowhere")))


def fields(ingredients: AuditInputs, **changes: Any) -> list[str]:
    return [problem.field for problem in find(ingredients, **changes)]


def test_a_valid_spec_has_no_problems(ingredients: AuditInputs) -> None:
    assert find(ingredients) == []


def test_stability_of_a_cohort_with_one_run_is_refused(ingredients: AuditInputs) -> None:
    alone = [ingredients.cohort("alone", 0)]
    assert fields(ingredients, cohorts=alone, measures=["stability"]) == ["cohorts[0].runs"]


def test_out_of_set_images_are_validated_like_the_images(ingredients: AuditInputs) -> None:
    here, nowhere = ({"uri": uri} for uri in (ingredients.images.as_uri(), "file:///nowhere"))
    assert fields(ingredients, out_of_set=here) == []
    assert fields(ingredients, out_of_set=nowhere) == ["out_of_set.uri"]
    assert fields(ingredients, out_of_set=here, measures=["noise"]) == ["measures"]


def test_a_job_that_stops_when_decided_needs_a_gate_and_must_have_one_image_set(ingredients: AuditInputs) -> None:
    stop = {"stop": "when-decided"}
    gate = {"gate": {"rules": [{"measure": "entropy", "op": ">=", "value": 0.5}]}}
    assert fields(ingredients, **stop, **gate) == []
    assert fields(ingredients, **stop) == ["stop"]
    assert fields(ingredients, **stop, **gate, out_of_set={"uri": ingredients.images.as_uri()}) == ["stop"]
    (problem,) = find(ingredients, **stop, **gate, baseline={"job": "earlier"})
    assert "as a cohort" in problem.detail


def test_a_rotation_by_90_degrees_of_an_input_that_is_not_square_is_refused(ingredients: AuditInputs) -> None:
    oblong = [ingredients.cohort("oblong", 0, 1, preprocessing={"size": [24, 32]})]
    geometry = {"geometry": {"transforms": ["hflip", "rot90"]}}
    (problem,) = find(ingredients, cohorts=oblong, options=geometry)
    assert problem.field == "options.geometry.transforms[1]"
    assert "without it" in problem.detail


@pytest.mark.parametrize(
    ("transform", "size", "refused"),
    [("rotate:10", [24, 32], False), ("rotate:45", [16, 64], False), ("rotate:45", [10, 10], True)],
)
def test_a_rotation_is_refused_if_it_leaves_too_few_pixels_to_compare(
    ingredients: AuditInputs, transform: str, size: list[int], refused: bool
) -> None:
    turned = [ingredients.cohort("turned", 0, 1, preprocessing={"size": size})]
    found = find(ingredients, cohorts=turned, options={"geometry": {"transforms": [transform]}})
    assert ["too few pixels to compare" in problem.detail for problem in found] == [True] * refused


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ({"preprocessing": {"channels": "gray"}}, "preprocessing.mean"),
        ({"preprocessing": {"resize": {"shorter": 100}}}, "preprocessing.resize.shorter"),
        ({"architecture": "keras/resnet18"}, "architecture"),
        ({"outputs": {"names": ["a", "b"], "order": [0, 1]}}, "outputs"),
        ({"outputs": {"order": [1, 1]}}, "outputs.order"),
        ({"outputs": {"names": ["a", "a"]}}, "outputs.names"),
        ({"outputs": {"names": ["a", "b"], "attack_class": "c"}}, "outputs.attack_class"),
    ],
)
def test_fields_of_a_model_that_contradict_each_other_are_refused(
    ingredients: AuditInputs, model: dict[str, Any], field: str
) -> None:
    found = fields(ingredients, cohorts=[ingredients.cohort("odd", 0, 1, **model)])
    assert f"cohorts[0].model.{field}" in found


@pytest.mark.parametrize("shift", ["shift:0,0", "shift:24,0", "shift:0,-30"])
def test_a_shift_by_zero_or_out_of_the_image_is_refused(ingredients: AuditInputs, shift: str) -> None:
    found = fields(ingredients, options={"geometry": {"transforms": [shift]}})
    assert found == ["options.geometry.transforms[0]"]


def test_repeated_cohort_names_and_measures_are_refused(ingredients: AuditInputs) -> None:
    twice = [ingredients.cohort("same", 0, 1), ingredients.cohort("same", 1, 2)]
    assert fields(ingredients, cohorts=twice, measures=["entropy", "entropy"]) == ["cohorts", "measures"]


@pytest.mark.parametrize("groups", [["class"], ["correct"], ["label"], ["camera", "camera"]])
def test_reserved_and_repeated_names_of_group_columns_are_refused(ingredients: AuditInputs, groups: list[str]) -> None:
    images = {"uri": ingredients.images.as_uri(), "groups": groups}
    assert fields(ingredients, images=images) == ["images.groups"]


def test_a_group_column_that_a_manifest_lacks_is_refused(ingredients: AuditInputs, tmp_path: Path) -> None:
    source = tmp_path / "set.csv"
    source.write_text("image,camera\na.png,front\n")
    for column, refused in (("camera", []), ("sex", ["images.groups"])):
        assert fields(ingredients, images={"uri": source.as_uri(), "groups": [column]}) == refused


def test_one_response_reports_all_missing_files(ingredients: AuditInputs) -> None:
    gone = {
        "name": "gone",
        "runs": [
            {"uri": "file:///nowhere/1.pt"},
            {"uri": "ftp://example.org/2.pt"},
            {"uri": "https://example.org/3.pt"},
            {"uri": "s3://bucket/4.pt"},
            {"uri": "s3://user:password@bucket/5.pt"},
        ],
    }
    found = fields(ingredients, cohorts=[gone], images={"uri": "file:///nowhere"})
    assert found == ["images.uri", *(f"cohorts[0].runs[{number}].uri" for number in (0, 1, 4))]


@pytest.mark.parametrize("uri", ["http://host.example/\0", "s3://bucket/a\nb", "models:/a\0/1", "file:///a\0"])
def test_a_uri_with_a_control_character_is_refused(ingredients: AuditInputs, uri: str) -> None:
    assert fields(ingredients, images={"uri": uri}) == ["images.uri"]


def test_a_checkpoint_needs_an_architecture(ingredients: AuditInputs, tmp_path: Path) -> None:
    old = tmp_path / "old.pth"
    old.write_bytes(b"\x80\x02rest")
    (problem,) = find(ingredients, cohorts=[{"name": "c", "runs": [{"uri": old.as_uri()}]}])
    assert problem.field == "cohorts[0].model.architecture"
    assert str(old) in problem.detail, "the message names the file"


def test_a_format_that_differs_from_the_format_of_the_file_is_refused(ingredients: AuditInputs) -> None:
    wrong = ingredients.cohort("wrong", 0, 1, format="checkpoint", architecture="torchvision/resnet18")
    assert fields(ingredients, cohorts=[wrong]) == ["cohorts[0].model.format"]


def test_a_remote_model_declared_as_onnx_allows_only_the_method_rise(ingredients: AuditInputs) -> None:
    runs = [{"uri": "s3://bucket/1.onnx"}, {"uri": "s3://bucket/2.onnx"}]
    model = {"format": "onnx", "layer": "features"}
    cohorts = [{"name": name, "model": model, "runs": runs} for name in ("a", "b")]
    found = find(ingredients, cohorts=cohorts, measures=["entropy", "randomisation"])
    layers = ["cohorts[0].model.layer", "cohorts[1].model.layer"]
    assert sorted(each.field for each in found) == [*layers, "measures", "salience.method"]
    assert "cohort 'a' is ONNX, a black box; use rise" in str(found)


def test_an_empty_image_set_is_refused(ingredients: AuditInputs, tmp_path: Path) -> None:
    assert fields(ingredients, images={"uri": tmp_path.as_uri()}) == ["images.uri"]
