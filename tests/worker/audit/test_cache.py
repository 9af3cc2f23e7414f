"""Audits with cached numbers make fewer passes, and have the same numbers as audits without a cache."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, update

from service.domain.job import Job
from service.storage import Store
from service.storage.tables.jobs import JobRow, ValueRow
from tests.support.audits import audit, results
from tests.support.jobs import AuditInputs, write_image
from worker.runner import Runner

IMAGES = 12
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # these tests do not depend on the database


def cohorts_of(store: Store, job: Job) -> dict[str, Any]:
    found: dict[str, Any] = results(store, job)["cohorts"]
    return found


def passes_of(job: Job) -> tuple[int, int]:
    """The number of passes that a job made, and of those that the cache saved."""
    return job.passes_done, job.passes_reused


def test_a_repeated_audit_makes_no_passes_and_has_the_same_results_to_the_bit(
    runner: Runner, ingredients: AuditInputs
) -> None:
    first = audit(runner, ingredients.spec(shard_size=5))
    again = audit(runner, ingredients.spec(shard_size=7))
    assert passes_of(first) == (first.passes_total, 0)
    assert passes_of(again) == (0, again.passes_total)
    assert cohorts_of(runner.store, again) == cohorts_of(runner.store, first)


def test_a_cohort_that_an_earlier_job_audited_needs_no_passes(runner: Runner, ingredients: AuditInputs) -> None:
    champion, challenger = ingredients.cohort("champion", 0, 1), ingredients.cohort("challenger", 2, 1)
    before = audit(runner, ingredients.spec(cohorts=[champion]))
    both = audit(runner, ingredients.spec(cohorts=[challenger, champion], shard_size=IMAGES))
    per_run = ingredients.spec().passes()
    # One run of the challenger is new. The other run needs only its clean maps, for the stability of the new pair.
    assert passes_of(both) == (IMAGES * (per_run + 1), IMAGES * (3 * per_run - 1))
    assert cohorts_of(runner.store, both)["champion"]["runs"] == cohorts_of(runner.store, before)["champion"]["runs"]
    anew = audit(runner, ingredients.spec(cohorts=[challenger, champion], reuse=False))
    assert passes_of(anew) == (anew.passes_total, 0)
    assert cohorts_of(runner.store, anew) == cohorts_of(runner.store, both)


@ONE
def test_a_job_with_a_higher_limit_makes_passes_for_new_images_only(runner: Runner, ingredients: AuditInputs) -> None:
    def of(limit: int, **changes: Any) -> Job:
        images = {"uri": ingredients.images.as_uri(), "limit": limit}
        return audit(runner, ingredients.spec(images=images, shard_size=IMAGES, **changes))

    of(4)
    more = of(10)
    per_image = 2 * ingredients.spec().passes()
    # The first new image of each label needs the clean map of its partner, whose numbers are cached.
    assert passes_of(more) == (6 * per_image + 2 * 2, 4 * per_image - 2 * 2)
    assert cohorts_of(runner.store, of(10, reuse=False)) == cohorts_of(runner.store, more)


@ONE
def test_an_audit_with_another_method_makes_all_passes(runner: Runner, ingredients: AuditInputs) -> None:
    small = {"images": {"uri": ingredients.images.as_uri(), "limit": 2}}
    audit(runner, ingredients.spec(**small))
    other = audit(runner, ingredients.spec(**small, salience={"method": "gradcam++"}))
    assert passes_of(other) == (other.passes_total, 0)


@ONE
def test_cached_numbers_are_used_if_only_names_and_an_unused_seed_differ(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    measures = ["entropy", "noise"]
    audit(runner, ingredients.spec(measures=measures))
    shutil.copytree(ingredients.images, tmp_path / "elsewhere")
    cohort = ingredients.cohort("by another name", 1, 0, format="torchscript")
    moved = {"cohorts": [cohort], "images": {"uri": (tmp_path / "elsewhere").as_uri()}}
    assert audit(runner, ingredients.spec(measures=measures, **moved)).passes_done == 0


@ONE
def test_cached_numbers_are_not_used_if_another_seed_gives_images_other_partners(
    runner: Runner, ingredients: AuditInputs
) -> None:
    spec: dict[str, Any] = {"measures": ["entropy"], "cohorts": [ingredients.cohort("c", 0)], "shard_size": IMAGES}
    audit(runner, ingredients.spec(**spec))
    other = audit(runner, ingredients.spec(**spec, seed=5))
    assert other.passes_done > 0
    assert cohorts_of(runner.store, other) == cohorts_of(
        runner.store, audit(runner, ingredients.spec(**spec, seed=5, reuse=False))
    )


@ONE
def test_cached_numbers_are_not_used_for_another_label_or_after_their_job_is_deleted(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    for label in ("real", "synthetic"):
        write_image(tmp_path / "first" / label / "x.png", np.random.default_rng(0))
        write_image(tmp_path / "turned" / label / "x.png", np.random.default_rng(1))
    write_image(tmp_path / "turned" / "real" / "x.png", np.random.default_rng(0))
    spec = {"measures": ["entropy"], "cohorts": [ingredients.cohort("c", 0)]}
    first = audit(runner, ingredients.spec(**spec, images={"uri": (tmp_path / "first").as_uri()}))
    turned = audit(runner, ingredients.spec(**spec, images={"uri": (tmp_path / "turned").as_uri()}))
    assert passes_of(turned) == (1, 1)
    for job in (first, turned):
        runner.store.jobs.delete(job.id)
    again = audit(runner, ingredients.spec(**spec, images={"uri": (tmp_path / "first").as_uri()}))
    assert again.passes_reused == 0


def test_numbers_of_another_tenant_are_not_used(runner: Runner, ingredients: AuditInputs) -> None:
    spec = ingredients.spec(measures=["entropy"])
    theirs = audit(runner, spec)
    with runner.store.database.write() as session:
        session.execute(update(JobRow).where(JobRow.id == theirs.id).values(tenant="others"))
    assert audit(runner, spec).passes_reused == 0


@ONE
def test_rows_without_a_cache_key_are_not_used(runner: Runner, ingredients: AuditInputs) -> None:
    spec = ingredients.spec(measures=["entropy", "stability"])
    audit(runner, spec)
    with runner.store.database.write() as session:
        session.execute(update(ValueRow).values(key=None))
        assert session.scalar(select(func.count()).select_from(ValueRow)) == IMAGES * 3
    assert audit(runner, spec).passes_reused == 0


@ONE
def test_a_repeated_audit_with_a_second_image_set_makes_only_clean_passes(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    write_image(tmp_path / "scene.png", np.random.default_rng(9))
    spec, scenes = ingredients.spec(), {"uri": tmp_path.as_uri()}
    first = audit(runner, spec)
    both = {"out_of_set": scenes, "shard_size": IMAGES}
    beside, anew = (audit(runner, ingredients.spec(**both, reuse=reuse)) for reuse in (True, False))
    assert passes_of(beside) == (2 * IMAGES + 2, 2 * IMAGES * (spec.passes() - 1))
    assert passes_of(anew) == (anew.passes_total, 0) == (sum(passes_of(beside)), 0)
    assert cohorts_of(runner.store, beside) == cohorts_of(runner.store, anew)
    for job in (first, anew):
        runner.store.jobs.delete(job.id)
    assert audit(runner, spec).passes_done == 0
