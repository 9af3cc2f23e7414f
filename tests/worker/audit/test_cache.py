"""What was computed before is read: passes are counted, and the numbers are those of an audit that reads nothing."""

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
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # where the database has no part in it


def cohorts_of(store: Store, job: Job) -> dict[str, Any]:
    found: dict[str, Any] = results(store, job)["cohorts"]
    return found


def spent(job: Job) -> tuple[int, int]:
    """Passes made, and passes spared."""
    return job.passes_done, job.passes_reused


def test_the_same_again_makes_no_pass_and_has_the_same_bits(runner: Runner, ingredients: AuditInputs) -> None:
    first = audit(runner, ingredients.spec(shard_size=5))
    again = audit(runner, ingredients.spec(shard_size=7))
    assert spent(first) == (first.passes_total, 0)
    assert spent(again) == (0, first.passes_total)
    assert cohorts_of(runner.store, again) == cohorts_of(runner.store, first)


def test_a_champion_costs_nothing_when_the_challenger_comes(runner: Runner, ingredients: AuditInputs) -> None:
    champion, challenger = ingredients.cohort("champion", 0, 1), ingredients.cohort("challenger", 2, 1)
    before = audit(runner, ingredients.spec(cohorts=[champion]))
    both = audit(runner, ingredients.spec(cohorts=[challenger, champion]))
    per_run = ingredients.spec().passes()
    # Of the challenger's runs one is new; of the other the clean map alone is needed, for the new pair's stability.
    assert spent(both) == (IMAGES * (per_run + 1), IMAGES * (3 * per_run - 1))
    assert cohorts_of(runner.store, both)["champion"]["runs"] == cohorts_of(runner.store, before)["champion"]["runs"]
    anew = audit(runner, ingredients.spec(cohorts=[challenger, champion], reuse=False))
    assert spent(anew) == (anew.passes_total, 0)
    assert cohorts_of(runner.store, anew) == cohorts_of(runner.store, both)


@ONE
def test_a_higher_limit_pays_for_the_new_images_alone(runner: Runner, ingredients: AuditInputs) -> None:
    def of(limit: int, **changes: Any) -> Job:
        images = {"uri": ingredients.images.as_uri(), "limit": limit}
        return audit(runner, ingredients.spec(images=images, **changes))

    of(4)
    more = of(10)
    per_image = 2 * ingredients.spec().passes()
    assert spent(more) == (6 * per_image, 4 * per_image)
    assert cohorts_of(runner.store, of(10, reuse=False)) == cohorts_of(runner.store, more)


@ONE
def test_other_options_are_computed_anew(runner: Runner, ingredients: AuditInputs) -> None:
    small = {"images": {"uri": ingredients.images.as_uri(), "limit": 2}}
    audit(runner, ingredients.spec(**small))
    other = audit(runner, ingredients.spec(**small, salience={"method": "gradcam++"}))
    assert spent(other) == (other.passes_total, 0)


@ONE
def test_the_seed_and_names_do_not_matter_where_nothing_goes_by_them(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    measures = ["entropy", "geometry"]
    audit(runner, ingredients.spec(measures=measures))
    for number, path in enumerate(sorted(ingredients.images.rglob("*.png"))):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        (tmp_path / path.parent.name / f"other-{number}.png").write_bytes(path.read_bytes())
    cohort = ingredients.cohort("by another name", 1, 0, format="torchscript")
    moved = {"cohorts": [cohort], "images": {"uri": tmp_path.as_uri()}, "seed": 5}
    assert audit(runner, ingredients.spec(measures=measures, **moved)).passes_done == 0


@ONE
def test_a_label_counts_and_a_deleted_job_is_forgotten(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    for label in ("real", "synthetic"):
        write_image(tmp_path / "first" / label / "x.png", np.random.default_rng(0))
        write_image(tmp_path / "turned" / label / "x.png", np.random.default_rng(1))
    write_image(tmp_path / "turned" / "real" / "x.png", np.random.default_rng(0))
    spec = {"measures": ["entropy"], "cohorts": [ingredients.cohort("c", 0)]}
    first = audit(runner, ingredients.spec(**spec, images={"uri": (tmp_path / "first").as_uri()}))
    turned = audit(runner, ingredients.spec(**spec, images={"uri": (tmp_path / "turned").as_uri()}))
    assert spent(turned) == (1, 1)
    for job in (first, turned):
        runner.store.jobs.delete(job.id)
    again = audit(runner, ingredients.spec(**spec, images={"uri": (tmp_path / "first").as_uri()}))
    assert again.passes_reused == 0


def test_what_another_tenant_computed_is_not_seen(runner: Runner, ingredients: AuditInputs) -> None:
    spec = ingredients.spec(measures=["entropy"])
    theirs = audit(runner, spec)
    with runner.store.database.write() as session:
        session.execute(update(JobRow).where(JobRow.id == theirs.id).values(tenant="others"))
    assert audit(runner, spec).passes_reused == 0


@ONE
def test_rows_of_a_version_that_knew_no_keys_are_not_read(runner: Runner, ingredients: AuditInputs) -> None:
    spec = ingredients.spec(measures=["entropy", "stability"])
    audit(runner, spec)
    with runner.store.database.write() as session:
        session.execute(update(ValueRow).values(key=None))
        assert session.scalar(select(func.count()).select_from(ValueRow)) == IMAGES * 3
    assert audit(runner, spec).passes_reused == 0


@ONE
def test_an_audit_with_a_set_beside_it_sees_clean_pictures_for_their_maps_and_reads_the_rest(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    write_image(tmp_path / "scene.png", np.random.default_rng(9))
    spec, scenes = ingredients.spec(), {"uri": tmp_path.as_uri()}
    first = audit(runner, spec)
    beside, anew = (audit(runner, ingredients.spec(out_of_set=scenes, reuse=reuse)) for reuse in (True, False))
    assert spent(beside) == (2 * IMAGES + 2, 2 * IMAGES * (spec.passes() - 1))
    assert spent(anew) == (anew.passes_total, 0) == (sum(spent(beside)), 0)
    assert cohorts_of(runner.store, beside) == cohorts_of(runner.store, anew)
    for job in (first, anew):
        runner.store.jobs.delete(job.id)
    assert audit(runner, spec).passes_done == 0
