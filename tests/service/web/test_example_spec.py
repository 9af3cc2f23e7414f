import json
from pathlib import Path

from service.spec.model import JobSpec
from service.web.example_spec import copy_spec, example_spec, format_spec
from tests.support.jobs import AuditInputs


def test_without_demo_models_the_example_spec_is_a_template(tmp_path: Path) -> None:
    spec = JobSpec.model_validate_json(example_spec([tmp_path]))
    assert spec.images.uri.startswith("file:///path/to/")


def test_the_example_spec_names_the_models_of_the_demo_if_they_exist(tmp_path: Path) -> None:
    for name in ("a/1.pt", "a/2.pt", "b/1.pt"):
        path = tmp_path / ".demo" / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    spec = JobSpec.model_validate_json(example_spec([Path("/nowhere"), tmp_path]))
    assert {cohort.name: len(cohort.runs) for cohort in spec.cohorts} == {"a": 2, "b": 1}


def test_a_copied_spec_equals_the_original_or_adds_the_cohorts_of_another_job(ingredients: AuditInputs) -> None:
    spec = ingredients.spec(name="n", seed=4)
    assert JobSpec.model_validate_json(copy_spec(spec)) == spec
    both = JobSpec.model_validate_json(copy_spec(spec, spec))
    assert [cohort.name for cohort in both.cohorts] == ["plain", "plain (2)"]
    assert both.seed == 4


def test_a_short_value_of_a_spec_is_formatted_on_one_line() -> None:
    text = format_spec({"a": {"b": [1, 2]}, "c": ["x" * 60, "y" * 60]})
    assert json.loads(text) == {"a": {"b": [1, 2]}, "c": ["x" * 60, "y" * 60]}
    assert text.splitlines()[1] == '  "a": {"b": [1, 2]},'
    assert len(text.splitlines()) == 7
