from typing import Any

import pytest
from pydantic import ValidationError

from service.spec.model import DEFAULT_MEASURES, JobSpec, spec_digest

SMALLEST: dict[str, Any] = {
    "cohorts": [{"name": "c", "runs": [{"uri": "file:///m.pt"}]}],
    "images": {"uri": "file:///i"},
}
TWO_RUNS = [{"name": "c", "runs": [{"uri": "file:///1.pt"}, {"uri": "file:///2.pt"}]}]


def test_the_default_options_are_those_of_the_original_paper() -> None:
    spec = JobSpec.model_validate({**SMALLEST, "cohorts": TWO_RUNS})
    assert spec.measures == list(DEFAULT_MEASURES)
    assert spec.options.noise.amounts == [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0]
    assert len(spec.options.geometry.transforms) == 12
    assert spec.salience.target == "predicted"
    assert spec.passes() == 22


def test_the_default_measures_omit_stability_if_a_cohort_has_one_run() -> None:
    assert "stability" not in JobSpec.model_validate(SMALLEST).measures
    assert "stability" in JobSpec.model_validate({**SMALLEST, "measures": ["stability"]}).measures


def test_an_omitted_field_and_its_default_give_the_same_digest() -> None:
    spelt_out = {**SMALLEST, "seed": 0, "salience": {"method": "gradcam"}}
    assert spec_digest(JobSpec.model_validate(SMALLEST)) == spec_digest(JobSpec.model_validate(spelt_out))


@pytest.mark.parametrize("model", [{}, {"outputs": None}, {"outputs": {}}, {"outputs": {"activation": "auto"}}])
def test_the_default_activation_appears_in_the_spec_and_does_not_change_its_digest(model: dict[str, Any]) -> None:
    spec = JobSpec.model_validate({**SMALLEST, "cohorts": [{**SMALLEST["cohorts"][0], "model": model}]})
    assert spec.model_dump(mode="json")["cohorts"][0]["model"]["outputs"]["activation"] == "auto"
    assert spec_digest(spec) == spec_digest(JobSpec.model_validate(SMALLEST))


def test_a_spec_survives_a_round_trip_through_json() -> None:
    spec = JobSpec.model_validate(SMALLEST)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"colour": "red"}, ("colour",)),
        ({"cohorts": []}, ("cohorts",)),
        ({"measures": []}, ("measures",)),
        ({"measures": ["beauty"]}, ("measures", 0)),
        ({"seed": -1}, ("seed",)),
        ({"shard_size": 0}, ("shard_size",)),
        ({"gate": {"rules": []}}, ("gate",)),
        ({"precision": "float8"}, ("precision",)),
        ({"images": {"uri": "file:///i", "max_skipped": 2}}, ("images", "max_skipped")),
        ({"options": {"noise": {"amounts": [float("nan")]}}}, ("options", "noise", "amounts", 0)),
        ({"options": {"geometry": {"transforms": ["twist"]}}}, ("options", "geometry", "transforms", 0)),
        ({"name": "a\x00b"}, ("name",)),
        ({"cohorts": [{"name": "c", "runs": []}]}, ("cohorts", 0, "runs")),
        (
            {"cohorts": [{**SMALLEST["cohorts"][0], "model": {"outputs": {"activation": "sigmoid"}}}]},
            ("cohorts", 0, "model", "outputs", "activation"),
        ),
    ],
)
def test_the_error_about_an_invalid_spec_names_the_invalid_field(
    changes: dict[str, Any], place: tuple[object, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        JobSpec.model_validate({**SMALLEST, **changes})
    assert [error["loc"] for error in caught.value.errors()] == [place]


@pytest.mark.parametrize("measures", [["entropy"], ["noise"], ["geometry", "stability"], list(DEFAULT_MEASURES)])
def test_the_number_of_passes_counts_the_variants_that_the_measures_need(measures: list[str]) -> None:
    spec = JobSpec.model_validate({**SMALLEST, "cohorts": TWO_RUNS, "measures": measures})
    extra = {"noise": 7, "geometry": 12, "degradation": 2}
    assert spec.passes() == 1 + sum(extra.get(measure, 0) for measure in measures)
