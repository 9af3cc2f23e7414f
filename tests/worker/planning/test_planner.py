"""The planner lists images, checks models, and cuts the images into slices, without a database."""

from typing import Any

import pytest

from service.domain.job import Image
from service.domain.work import Plan
from service.errors import LeaseLost, ModelRefused
from tests.support.jobs import AuditInputs
from worker.planning.planner import Planner
from worker.runner import Runner

IMAGES = 12  # of the fixture `ingredients`

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # of the fixture only


def do_nothing() -> None:
    """Check nothing."""


def plan(runner: Runner, ingredients: AuditInputs, **changes: Any) -> tuple[Plan, list[Image]]:
    """Plan a job, and return the plan and its images."""
    images: list[Image] = []
    planner = Planner(runner.context.models, runner.context.inputs, do_nothing)
    return planner.plan(ingredients.spec(**changes), images.extend), images


@pytest.mark.parametrize("size", [1, 5, IMAGES])
def test_the_slices_of_each_cohort_have_every_image_once(runner: Runner, ingredients: AuditInputs, size: int) -> None:
    cohorts = [ingredients.cohort("a", 0), ingredients.cohort("b", 1)]
    found, images = plan(runner, ingredients, cohorts=cohorts, shard_size=size)
    assert found.images == len(images) == IMAGES
    for cohort in (0, 1):
        own = [each for each in found.slices if each.cohort == cohort]
        assert sorted(number for each in own for number in range(each.start, each.stop)) == list(range(IMAGES))
        assert max(each.stop - each.start for each in own) == size


def test_a_plan_counts_the_passes_of_every_run_and_image(runner: Runner, ingredients: AuditInputs) -> None:
    found, _ = plan(runner, ingredients, cohorts=[ingredients.cohort("a", 0, 1)], shard_size=IMAGES)
    assert found.passes == 2 * IMAGES * ingredients.spec().passes()


def test_a_plan_has_facts_about_the_models_of_each_cohort(runner: Runner, ingredients: AuditInputs) -> None:
    found, _ = plan(runner, ingredients, cohorts=[ingredients.cohort("a", 0, 1)])
    (facts,) = found.facts["cohorts"]
    assert facts["classes"] == {"real": 0, "synthetic": 1}
    assert facts["class_count"] == 2
    assert len({run["sha256"] for run in facts["runs"]}) == 2
    assert [run["deterministic"] for run in facts["runs"]] == [True, True]


def test_a_target_beyond_the_classes_of_the_model_is_refused(runner: Runner, ingredients: AuditInputs) -> None:
    with pytest.raises(ModelRefused) as refused:
        plan(runner, ingredients, salience={"target": 2})
    assert "2" in str(refused.value)


def test_a_lost_lease_ends_the_planning(runner: Runner, ingredients: AuditInputs) -> None:
    def lose() -> None:
        raise LeaseLost(shard=1)

    with pytest.raises(LeaseLost):
        Planner(runner.context.models, runner.context.inputs, lose).plan(ingredients.spec(), lambda _: None)
