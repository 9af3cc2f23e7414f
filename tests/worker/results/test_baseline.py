"""A cohort of an earlier job is the baseline of a job, without new passes, if everything but the models is the same."""

from typing import Any

import pytest

from service.domain.job import Job
from service.spec.model import JobSpec
from tests.support.audits import audit, results
from tests.support.jobs import AuditInputs
from tests.support.soundness import ALL_OFF
from worker.results.baseline import incompatibilities
from worker.runner import Runner

RULES = [
    {"measure": "entropy", "op": "<=", "versus": "champion", "margin": 2.0},
    {"measure": "noise", "op": ">=", "versus": "champion", "margin": 3.0},
]

GATE = {"rules": RULES, "soundness": ALL_OFF}


def against(runner: Runner, ingredients: AuditInputs, before: Job, **changes: Any) -> dict[str, Any]:
    """Audit a spec with a cohort of an earlier job as baseline. Return the results."""
    request = {"baseline": {"job": before.id, "cohort": "plain", "name": "champion"}, "gate": GATE}
    cohorts = [ingredients.cohort("challenger", 1, 2)]
    return results(runner.store, audit(runner, ingredients.spec(**{"cohorts": cohorts} | request | changes)))


def test_differences_from_a_baseline_equal_the_differences_in_a_job_with_both_cohorts(
    runner: Runner, ingredients: AuditInputs
) -> None:
    before = audit(runner, ingredients.spec())
    found = against(runner, ingredients, before)
    cohorts = [ingredients.cohort("challenger", 1, 2), ingredients.cohort("champion", 0, 1)]
    together = results(runner.store, audit(runner, ingredients.spec(cohorts=cohorts)))
    assert found["differences"] == together["differences"]
    assert found["baseline"] == {"job": before.id, "cohort": "plain", "name": "champion", "differs": []}
    assert found["soundness"] == together["soundness"]
    assert found["verdict"]["outcome"] == "pass"
    assert list(found["cohorts"]) == ["challenger"]


def test_a_baseline_with_other_images_makes_the_verdict_an_error_with_the_reason(
    runner: Runner, ingredients: AuditInputs
) -> None:
    before = audit(runner, ingredients.spec(measures=["entropy", "stability"]))
    images = {"uri": ingredients.images.as_uri(), "limit": 5}
    found = against(runner, ingredients, before, measures=["entropy", "stability"], images=images)
    assert found["verdict"]["outcome"] == "error"
    assert [each.partition(" (")[0] for each in found["baseline"]["differs"]] == ["the images"]
    assert "these differ: the images (baseline: sha256" in found["verdict"]["reason"]
    assert found["differences"] == []


MEASURES = ["entropy", "noise", "stability"]


def provenance(software: str = "2.13", images: str = "5" * 64, **changes: Any) -> dict[str, Any]:
    runs = [{"uri": "file:///1"}, {"uri": "file:///2"}]
    body = {"cohorts": [{"name": "c", "runs": runs}], "images": {"uri": "file:///i"}, "measures": MEASURES, **changes}
    spec = JobSpec.model_validate(body)
    message = {"images": {"sha256": images}, "software": {"torch": software}, "precision": spec.precision}
    return {"spec": spec.model_dump(mode="json"), **message}


@pytest.mark.parametrize(
    ("then", "differences"),
    [
        (provenance(), []),
        (provenance(name="other", labels={"a": "b"}, shard_size=3), []),
        (provenance(measures=["entropy", "noise"]), []),
        (provenance(options={"geometry": {"transforms": ["hflip"]}}), []),
        (provenance(images="6" * 64), ["the images (baseline: sha256 666666666666, this job: sha256 555555555555)"]),
        (provenance(software="2.12"), ["software torch (baseline: 2.12, this job: 2.13)"]),
        (provenance(seed=4), ["seed (baseline: 4, this job: 0)"]),
        (provenance(precision="bfloat16"), ["precision (baseline: bfloat16, this job: float32)"]),
        (provenance(measures=["noise"]), ["measures (baseline: ['noise'], this job: ['entropy', 'noise'])"]),
    ],
)
def test_every_difference_between_two_provenances_is_listed(then: dict[str, Any], differences: list[str]) -> None:
    assert list(incompatibilities(then, provenance())) == differences


def test_listed_differences_of_options_and_method_show_both_values() -> None:
    then = provenance(options={"noise": {"amounts": [0.2]}}, salience={"method": "layercam"})
    first, second = incompatibilities(then, provenance())
    assert first.startswith("options.noise (baseline: {'kind': 'salt_pepper', 'amounts': [0.2]")
    assert second.startswith("salience (baseline: {'method': 'layercam'")


def test_a_deleted_baseline_makes_the_verdict_an_error(runner: Runner, ingredients: AuditInputs) -> None:
    before = audit(runner, ingredients.spec())
    runner.store.jobs.delete(before.id)
    found = against(runner, ingredients, before)
    assert found["verdict"]["outcome"] == "error"
    assert "There is no job" in found["verdict"]["reason"]
