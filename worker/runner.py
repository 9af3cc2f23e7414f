"""One shard from claim to record. Whatever goes wrong with it is told to the database, and the worker lives on."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.domain import Job, Shard, ShardKind
from service.errors import InputRefused, WorkStopped
from service.storage import Store
from worker.finishing import finish
from worker.inspecting import Inspector
from worker.lease import Lease
from worker.measuring import Means, measure
from worker.planner import Planner
from worker.skipped import check_skipped

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runner:
    """Does waiting work. `ring` calls for as many other workers as new work could use."""

    store: Store
    means: Means
    name: str
    lease_seconds: float
    ring: Callable[[int], None]

    def work(self) -> bool:
        """Look at what somebody waits for, else do the oldest waiting shard. False: nothing waits."""
        if self._inspect():
            return True
        shard = self.store.shards.claim(self.name, self.lease_seconds)
        if shard is None:
            return False
        try:
            with Lease(self.store.shards, shard, self.lease_seconds) as lease:
                self._do(shard, lease)
        except WorkStopped as stopped:
            log.info("%s", stopped)
        except InputRefused as refused:
            self._fail(shard, refused)
        except Exception as trouble:
            log.exception("Shard %d of job %s ran into trouble", shard.id, shard.job)
            self.store.shards.hand_back(shard, f"{type(trouble).__name__}: {trouble}")
            self.ring(1)
        return True

    def _inspect(self) -> bool:
        """Do the oldest inspection. False: none waits."""
        inspection = self.store.inspections.claim()
        if inspection is None:
            return False
        found, error = None, None
        try:
            found = Inspector(self.means.places, self.means.models.trial).look(inspection.asked)
        except InputRefused as refused:
            error = {"detail": str(refused), "field": str(refused.facts.get("field"))}
        except Exception as trouble:
            log.exception("Inspection %s ran into trouble", inspection.id)
            error = {"detail": f"{type(trouble).__name__}: {trouble}", "field": "uri"}
        self.store.inspections.answer(inspection.id, found, error)
        return True

    def _do(self, shard: Shard, lease: Lease) -> None:
        job = self.store.jobs.get(shard.job)
        KINDS[shard.kind](self, job, shard, lease)

    def _fail(self, shard: Shard, refused: InputRefused) -> None:
        log.info("Job %s fails: %s", shard.job, refused)
        error = {"type": refused.kind, "detail": str(refused)}
        field = refused.facts.get("field")
        self.store.shards.fail(shard, error | ({"field": str(field)} if field else {}))


def _plan(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    plan = Planner(runner.means.models, runner.means.places, lease.check).plan(job.spec)
    runner.store.shards.record_plan(shard, plan)
    runner.ring(len(plan.slices))


def _measure(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    images = runner.store.images.slice(job.id, shard.start, shard.stop)
    result = measure(job, shard, images, runner.means, lease)
    check_skipped(job, [*runner.store.images.skipped(job.id), *result.images])
    if runner.store.shards.record_values(shard, result):
        runner.ring(1)


def _summarise(runner: Runner, job: Job, shard: Shard, _lease: Lease) -> None:
    check_skipped(job, runner.store.images.skipped(job.id))
    runner.store.shards.record_summary(shard, finish(job, runner.store))


KINDS: Mapping[ShardKind, Callable[[Runner, Job, Shard, Lease], None]] = {
    ShardKind.PLAN: _plan,
    ShardKind.MEASURE: _measure,
    ShardKind.SUMMARISE: _summarise,
}
