"""One shard from claim to record. Whatever goes wrong with it is told to the database, and the worker lives on."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from service.domain import Job, Shard, ShardKind
from service.errors import DatabaseAway, InputRefused, WorkerStops, WorkFailed, WorkStopped
from service.inspection import Inspection
from service.storage import Store
from service.transient import is_transient
from worker.batching import is_out_of_memory
from worker.finishing import finish
from worker.inspecting import Inspector
from worker.lease import Lease
from worker.measuring import Means, measure
from worker.patience import patiently
from worker.planner import Planner
from worker.skipped import check_skipped

log = logging.getLogger(__name__)


def never() -> bool:
    """Nobody asks this worker to stop."""
    return False


@dataclass(frozen=True)
class Runner:
    """Does waiting work, each kind its way. `ring` calls for as many other workers as new work could use."""

    store: Store
    means: Means
    name: str
    lease_seconds: float
    ring: Callable[[int], None]
    stopping: Callable[[], bool] = never
    kinds: "Kinds" = field(default_factory=lambda: KINDS)

    def work(self) -> bool:
        """Look at what somebody waits for, else do the waiting shard whose turn it is.

        False: nothing waits, or this worker is to stop.
        """
        if self._inspect():
            return True
        shard = self._claim()
        if shard is None:
            return False
        try:
            with Lease(self.store.leases, shard, self.lease_seconds, self.stopping) as lease:
                self._do(shard, lease)
        except WorkStopped as stopped:
            log.info("%s", stopped)
        except WorkerStops as stops:
            log.info("%s", stops)
            patiently(lambda: self.store.leases.give_back([self.name]))
        except InputRefused as refused:
            self._fail(shard, refused)
        except Exception as trouble:
            log.exception("Shard %d of job %s ran into trouble", shard.id, shard.job)
            self._try_again(shard, trouble)
        return True

    def _claim(self) -> Shard | None:
        try:
            return None if self.stopping() else self.store.leases.claim(self.name, self.lease_seconds)
        except DatabaseAway:  # a sweep will ring again
            return None

    def _inspect(self) -> bool:
        """Do the oldest inspection. False: none waits."""
        inspection = self._claim_inspection()
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
        patiently(lambda: self.store.inspections.answer(inspection.id, found, error))
        return True

    def _claim_inspection(self) -> Inspection | None:
        try:
            return None if self.stopping() else self.store.inspections.claim()
        except DatabaseAway:
            return None

    def _do(self, shard: Shard, lease: Lease) -> None:
        job = self.store.jobs.get(shard.job)
        self.kinds[shard.kind](self, job, shard, lease)

    def _try_again(self, shard: Shard, trouble: Exception) -> None:
        """After a pause, where that may help."""
        told = f"{type(trouble).__name__}: {trouble}"
        if _may_pass(trouble):
            patiently(lambda: self.store.leases.hand_back(shard, told))
        else:
            self._fail(shard, WorkFailed(reason=told))

    def _fail(self, shard: Shard, refused: InputRefused) -> None:
        log.info("Job %s fails: %s", shard.job, refused)
        error = {"type": refused.kind, "detail": str(refused)}
        field = refused.facts.get("field")
        told = error | ({"field": str(field)} if field else {})
        patiently(lambda: self.store.shards.fail(shard, told))


Kinds = Mapping[ShardKind, Callable[[Runner, Job, Shard, Lease], None]]


def _may_pass(trouble: Exception) -> bool:
    """Whether another try, or another worker, may fare better. Torch tells a device's troubles by RuntimeError."""
    passing = (DatabaseAway, RuntimeError)
    return isinstance(trouble, passing) or is_transient(trouble) or is_out_of_memory(trouble)


def plan_job(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """List a job's pictures, check its models, and put its slices into the queue."""
    shards = runner.store.shards
    shards.forget_images(shard)
    planner = Planner(runner.means.models, runner.means.places, lease.check)
    plan = planner.plan(job.spec, lambda images: patiently(lambda: shards.record_images(shard, images)))
    runner.ring(patiently(lambda: shards.record_plan(shard, plan)))


def measure_slice(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Audit a slice of a job's pictures."""
    images = runner.store.images.slice(job.id, shard.start, shard.stop)
    result = measure(job, shard, images, runner.means, lease)

    def record() -> bool:
        check_skipped(job, [*runner.store.images.skipped(job.id), *result.images])
        return runner.store.shards.record_values(shard, result)

    if patiently(record):
        runner.ring(1)


def sum_up(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Make a job's results of its numbers."""
    check_skipped(job, runner.store.images.skipped(job.id))
    document = finish(job, runner.store, lease.check)
    patiently(lambda: runner.store.shards.record_summary(shard, document))


KINDS: Kinds = {
    ShardKind.PLAN: plan_job,
    ShardKind.MEASURE: measure_slice,
    ShardKind.SUMMARISE: sum_up,
}
