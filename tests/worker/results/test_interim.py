from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import update

from service.domain.job import JobState
from service.gate import Gate
from service.jobs.validation.gate import results_tree
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from service.storage.tables.jobs import JobRow
from tests.support.audits import audit, results
from tests.support.jobs import AuditInputs, write_image
from tests.support.results_tree import leaves
from tests.support.soundness import ALL_OFF
from worker.context import WorkerContext
from worker.inputs.resolver import InputResolver
from worker.runner import Runner

MANY = 128
# Tests that do not depend on the database run on one kind only.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two classes. In the order of names, all images of the first class come before those of the second."""
    folder, random = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    for number in range(MANY):
        write_image(folder / f"class-{2 * number // MANY}" / f"{number:03}.png", random, side=24)
    return folder


@pytest.fixture
def specs(ingredients: AuditInputs, images: Path) -> "Specs":
    return Specs(ingredients, images)


class Specs:
    """Makes specs of audits of MANY images by entropy alone."""

    def __init__(self, ingredients: AuditInputs, images: Path) -> None:
        self._ingredients, self._images = ingredients, images

    def plain(self, limit: int | None = None, **changes: Any) -> JobSpec:
        """Return a spec of one run. With few runs, the interval would stay wide for any number of images."""
        images, cohorts = {"uri": self._images.as_uri(), "limit": limit}, [self._ingredients.cohort("plain", 0)]
        return self._ingredients.spec(**{"images": images, "cohorts": cohorts, "measures": ["entropy"], **changes})

    def stopping(self, *values: float, **changes: Any) -> JobSpec:
        rules = [{"measure": "entropy", "op": ">=", "value": value} for value in values]
        return self.plain(gate={"rules": rules, "soundness": ALL_OFF}, stop="when-decided", **changes)


def numbers(document: dict[str, Any]) -> dict[str, Any]:
    return {key: without_intervals(document[key]) for key in ("cohorts", "differences", "skipped")}


def without_intervals(tree: Any) -> Any:
    if isinstance(tree, dict):
        # A note says why there is no interval.
        return {key: without_intervals(each) for key, each in tree.items() if not key.endswith(("ci95", "note"))}
    return [without_intervals(each) for each in tree] if isinstance(tree, list) else tree


def test_a_job_that_stops_early_has_the_numbers_of_a_job_with_a_limit_of_so_many_images(
    runner: Runner, specs: Specs
) -> None:
    stopped = audit(runner, specs.stopping(0.05))
    assert (stopped.stopped_at, stopped.images_done, stopped.images_total) == (32, 32, MANY)
    assert stopped.verdict is not None
    assert (stopped.verdict["outcome"], stopped.verdict["images"]) == ("pass", 32)
    assert stopped.passes_done == 32 + 2  # the second shard needs the map of a partner of each label
    found, twin = (results(runner.store, each) for each in (stopped, audit(runner, specs.plain(limit=32))))
    assert numbers(found) == numbers(twin)
    assert found["provenance"]["images"] == twin["provenance"]["images"]
    assert found["stopped"] == {"images": 32, "of": MANY}


def test_a_job_stops_at_the_same_image_with_any_number_of_workers_and_shards(
    store: Store, places: InputResolver, runner: Runner, specs: Specs
) -> None:
    whole = results(store, audit(runner, specs.plain()))["cohorts"]["plain"]["measures"]["entropy"]["mean"]
    alone = audit(runner, specs.stopping(whole - 0.1))
    assert alone.stopped_at is not None
    assert 32 < alone.stopped_at < MANY
    spec = specs.stopping(whole - 0.1, shard_size=7)
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    assert runner.work()

    def work(name: str) -> None:
        means = WorkerContext.create(torch.device("cpu"), places, 2)
        beside = Runner(store, means, name, lease_seconds=30, notify=lambda _: None)
        while store.jobs.get(job).state is JobState.RUNNING:
            beside.work()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, ("a", "b", "c")))
    together = store.jobs.get(job)
    assert together.stopped_at == alone.stopped_at
    assert together.verdict == alone.verdict
    assert numbers(results(store, together)) == numbers(results(store, alone))


@ONE_DATABASE
def test_a_job_whose_rules_are_never_decided_audits_all_images_and_is_inconclusive(
    runner: Runner, specs: Specs
) -> None:
    first = results(runner.store, audit(runner, specs.plain()))["cohorts"]["plain"]["measures"]["entropy"]
    undecided = audit(runner, specs.stopping(0.05, first["mean"]))
    assert (undecided.stopped_at, undecided.images_done) == (None, MANY)
    assert undecided.verdict is not None
    assert [each["outcome"] for each in undecided.verdict["rules"]] == ["pass", "inconclusive"]
    found = results(runner.store, undecided)["cohorts"]["plain"]["measures"]["entropy"]
    assert without_intervals(found) == without_intervals(first)
    # These intervals are wider than in a job without `stop`, since they hold at all looks and for both rules together.
    low, high = undecided.verdict["rules"][1]["interval"]
    assert low < found["ci95"][0] < first["ci95"][0]
    assert high > found["ci95"][1] > first["ci95"][1]


@ONE_DATABASE
def test_a_rule_that_clearly_fails_stops_the_job_at_its_first_interim_look(runner: Runner, specs: Specs) -> None:
    failed = audit(runner, specs.stopping(0.99))
    assert failed.verdict is not None
    assert (failed.verdict["outcome"], failed.stopped_at) == ("fail", 32)


@ONE_DATABASE
def test_a_job_does_not_stop_early_while_too_many_of_its_images_are_unreadable(
    runner: Runner, specs: Specs, tmp_path: Path
) -> None:
    for number in range(96):
        write_image(tmp_path / f"{number:03}.png", np.random.default_rng(number), side=24)
    first = [image.name for image in _listed(runner, specs.stopping(0.05, images={"uri": tmp_path.as_uri()}))]
    (tmp_path / first[5]).write_bytes(b"not an image")
    images = {"uri": tmp_path.as_uri(), "max_skipped": 0.02}
    job = audit(runner, specs.stopping(0.05, images=images))
    assert job.stopped_at == 64  # one unreadable image of 32 is more than 2 %
    assert [image.name for image in runner.store.images.skipped(job.id)] == [first[5]]


def _listed(runner: Runner, spec: JobSpec) -> Any:
    """Return the images of a job in the order in which they are audited."""
    job = runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id
    runner.work()
    runner.store.jobs.cancel(job)
    return runner.store.images.slice(job, 0, 1000)


@ONE_DATABASE
def test_images_are_audited_in_a_random_order_that_depends_on_the_seed(runner: Runner, specs: Specs) -> None:
    orders = [[image.name for image in _listed(runner, specs.stopping(0.5, seed=seed))] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])
    assert 10 < sum(name.startswith("class-0") for name in orders[0][:40]) < 30
    limited = [image.name for image in _listed(runner, specs.plain(limit=40, seed=1))]
    assert sorted(orders[0][:40]) == sorted(limited)


@ONE_DATABASE
def test_a_rule_that_compares_similar_cohorts_is_decided_early_by_their_paired_difference(
    runner: Runner, specs: Specs, ingredients: AuditInputs
) -> None:
    cohorts = [ingredients.cohort("a", 0), ingredients.cohort("b", 0)]
    rule = {"measure": "entropy", "cohort": "a", "versus": "b", "op": "<=", "margin": 0.1}
    job = audit(runner, specs.plain(cohorts=cohorts, gate={"rules": [rule], "soundness": ALL_OFF}, stop="when-decided"))
    assert job.verdict is not None
    assert job.verdict["outcome"] == "pass"
    assert job.stopped_at is not None


@ONE_DATABASE
def test_interim_looks_have_an_interval_for_every_number_that_a_rule_may_name(
    runner: Runner, ingredients: AuditInputs
) -> None:
    spec = ingredients.spec(options={"noise": {"amounts": [0.1]}, "geometry": {"transforms": ["hflip"]}})
    # Detection performance is computed at the end; tests/worker/results/test_performance.py tests its rules.
    every = [path for path in leaves(results_tree(spec, spec.cohorts[0])) if ".performance." not in f".{path}"]
    paths = [path for path in every if not path.startswith("strata.correct.")]
    rules = [{"measure": path, "op": ">=", "value": 0} for path in paths]
    gate = {"rules": rules[:100], "soundness": ALL_OFF}
    job = audit(runner, spec.model_copy(update={"stop": "when-decided", "gate": Gate.model_validate(gate)}))
    assert job.verdict is not None
    assert len(rules) > 50
    assert [each["reason"] for each in job.verdict["rules"] if each["interval"] is None] == []


def test_a_job_without_stop_shows_interim_numbers_while_it_runs(runner: Runner, specs: Specs) -> None:
    spec = specs.plain(shard_size=8)
    job = runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id
    for _ in range(12):  # the plan, then 11 of the 16 slices
        runner.work()
    assert runner.store.jobs.get(job).so_far is None
    with runner.store.database.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job).values(look_after=0.0))
    assert runner.work()
    assert runner.work()
    seen = runner.store.jobs.get(job).so_far
    assert seen is not None
    assert (seen["images"], seen["of"], seen["verdict"]) == (96, MANY, None)
    assert "image" in [each["name"] for each in seen["soundness"]["plain"] if each["status"] == "ok"]
    while runner.work():
        pass
    final = results(runner.store, runner.store.jobs.get(job))["cohorts"]["plain"]["measures"]["entropy"]
    low, high = seen["cohorts"]["plain"]["measures"]["entropy"]["ci95"]
    assert low < final["mean"] < high
    assert final == results(runner.store, audit(runner, specs.plain()))["cohorts"]["plain"]["measures"]["entropy"]
