"""One shard from claim to record. Whatever goes wrong with it is told to the database, and the worker lives on."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from opentelemetry.trace import SpanKind

from service.domain import Job, Shard, ShardKind
from service.errors import DatabaseAway, InputRefused, JobNotFound, WorkerStops, WorkFailed, WorkStopped
from service.gate import judge, numbers_of
from service.kept import MapRequest
from service.logs import bound
from service.storage import Store
from service.tracing import span
from service.verdicts import Ruling, ruling_of
from worker.finishing import finish
from worker.illustrating import illustrate
from worker.inspecting import Inspector
from worker.lease import Lease
from worker.looking import look
from worker.measuring import Means, measure
from worker.meters import SHARDS, timed
from worker.patience import patiently
from worker.planner import Planner
from worker.sample import ask_for_maps
from worker.sampling import MOST_IMAGES
from worker.skipped import check_skipped
from worker.troubles import may_pass, told

MOST_RINGS = 64  # at once; sweeps ring for what waits longer

T = TypeVar("T")

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
    most_images: int = MOST_IMAGES

    def work(self) -> bool:
        """Look at what somebody waits for, else do the waiting shard whose turn it is.

        False: nothing waits, or this worker is to stop.
        """
        try:
            return self._inspect() or self._illustrate() or self._shard()
        finally:
            self.means.places.cache.release()

    def _shard(self) -> bool:
        """Do the waiting shard whose turn it is. False: none waits."""
        shard = self._take(lambda: self.store.leases.claim(self.name, self.lease_seconds))
        if shard is None:
            return False
        with bound(job=shard.job, shard=shard.id), timed(shard.kind):
            outcome = self._see_to(shard)
            SHARDS.labels(shard.kind, outcome).inc()
            log.info("A %s shard: %s", shard.kind, outcome)
        return True

    def _see_to(self, shard: Shard) -> str:
        """Do a shard, whatever comes. Returns what came of it."""
        try:
            with Lease(self.store.leases, shard, self.lease_seconds, self.stopping) as lease:
                self._do(shard, lease)
        except WorkStopped as stopped:
            log.info("%s", stopped)
            return "lost"
        except WorkerStops as stops:
            log.info("%s", stops)
            patiently(lambda: self.store.leases.give_back([self.name]))
            return "given back"
        except InputRefused as refused:
            self._fail(shard, refused)
            return "refused"
        except Exception as trouble:
            if not self._holds(shard):  # its job was forgotten, say, with all that the work goes by
                log.info("Shard %d was dropped, as it is no longer this worker's: %s", shard.id, self._told(trouble))
                return "lost"
            log.exception("Shard %d of job %s ran into trouble", shard.id, shard.job)
            self._try_again(shard, trouble)
            return "trouble"
        return "done"

    def _holds(self, shard: Shard) -> bool:
        """Whether a shard is still this worker's; so it is held to be while the database is away."""
        try:
            return self.store.leases.holds(shard)
        except DatabaseAway:
            return True

    def _take(self, claim: Callable[[], T | None]) -> T | None:
        """What is claimed; None where nothing waits, this worker is to stop, or the database is away."""
        try:
            return None if self.stopping() else claim()
        except DatabaseAway:  # a sweep will ring again
            return None

    def _inspect(self) -> bool:
        """Do the oldest inspection. False: none waits."""
        inspection = self._take(self.store.inspections.claim)
        if inspection is None:
            return False
        found, error = None, None
        try:
            places = self.means.places.of_work(inspection.id, self.store.of(inspection.tenant).owners)
            found = Inspector(places, self.means.models.trial).look(inspection.asked)
        except InputRefused as refused:
            error = {"detail": self._told(refused), "field": str(refused.facts.get("field"))}
        except Exception as trouble:
            log.exception("Inspection %s ran into trouble", inspection.id)
            error = {"detail": self._told(trouble), "field": inspection.asked.subject()[0]}
        patiently(lambda: self.store.inspections.answer(inspection.id, found, error))
        return True

    def _illustrate(self) -> bool:
        """Make the maps that wait next. False: none wait."""
        request = self._take(self.store.map_requests.claim)
        if request is None:
            return False
        try:
            illustrate(request, self.store, self.means)
        except (InputRefused, JobNotFound) as refused:
            self._refuse_maps(request, self._told(refused))
        except Exception as trouble:
            log.exception("The maps of image %d of job %s ran into trouble", request.image, request.job)
            self._refuse_maps(request, self._told(trouble))
        return True

    def _refuse_maps(self, request: MapRequest, reason: str) -> None:
        log.info("No maps of image %d of job %s: %s", request.image, request.job, reason)
        with suppress(JobNotFound):  # it was forgotten meanwhile, and its requests go with it
            patiently(lambda: self.store.map_requests.fail(request, reason))

    def _do(self, shard: Shard, lease: Lease) -> None:
        job = self.store.jobs.get(shard.job)
        facts: dict[str, str | int] = {"salience.job": shard.job, "salience.shard": shard.id}
        with span(f"{shard.kind} shard", SpanKind.CONSUMER, job.trace, facts):
            self.kinds[shard.kind](replace(self, means=self.means.of_job(job, self.store)), job, shard, lease)

    def _try_again(self, shard: Shard, trouble: Exception) -> None:
        """After a pause, where that may help."""
        reason = self._told(trouble)
        if may_pass(trouble):
            patiently(lambda: self.store.leases.hand_back(shard, reason))
        else:
            self._fail(shard, WorkFailed(reason=reason))

    def _fail(self, shard: Shard, refused: InputRefused) -> None:
        log.info("Job %s fails: %s", shard.job, refused)
        error = {"type": refused.kind, "detail": self._told(refused)}
        field = refused.facts.get("field")
        placed = error | ({"field": str(field)} if field else {})
        patiently(lambda: self.store.shards.fail(shard, placed))

    def _told(self, error: Exception) -> str:
        return told(error, self.means.places)


Kinds = Mapping[ShardKind, Callable[[Runner, Job, Shard, Lease], None]]


def plan_job(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """List a job's pictures, check its models, and put its slices into the queue."""
    shards = runner.store.shards
    shards.forget_images(shard)
    planner = Planner(runner.means.models, runner.means.places, lease.check, runner.most_images)
    plan = planner.plan(job.spec, lambda images: patiently(lambda: shards.record_images(shard, images)))
    runner.ring(patiently(lambda: shards.record_plan(shard, plan)))


def measure_slice(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Audit a slice of a job's pictures."""
    images = runner.store.images.slice(job.id, shard.start, shard.stop)
    find = partial(runner.store.known.find, job.id)
    result = measure(job, shard, images, runner.means, lease, lambda keys: patiently(lambda: find(keys)))

    def record() -> bool:
        check_skipped(job, [*runner.store.images.skipped(job.id), *result.images])
        return runner.store.shards.record_values(shard, result)

    if patiently(record):
        runner.ring(1)


def look_at(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Look at a job's numbers so far; one that stops when it is decided may end by them."""
    began = time.monotonic()
    seen = look(job, shard.stop, runner.store, lease.check, _ruling(runner, job))
    spent = time.monotonic() - began
    if patiently(lambda: runner.store.looks.record(shard, seen.so_far, seen.decided, spent)):
        runner.ring(1)


def sum_up(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Make a job's results of its numbers."""
    check_skipped(job, runner.store.images.skipped(job.id))
    ruling = _ruling(runner, job)
    document = finish(job, runner.store, lease.check, ruling.rules)
    verdict = judge(ruling.rules, numbers_of(document), ruling.policy).model_dump(mode="json") if ruling.rules else None
    if job.spec.stop:  # its intervals are those that could be looked at
        verdict = (job.so_far or {})["verdict"]
        document["stopped"] = {"images": job.images_audited, "of": job.images_total}
    waiting = patiently(lambda: ask_for_maps(job, runner.store, document["sample"]))
    text = json.dumps({**document, "verdict": verdict}, allow_nan=False)
    patiently(lambda: runner.store.shards.record_summary(shard, text, verdict))
    runner.ring(min(waiting, MOST_RINGS))


def _ruling(runner: Runner, job: Job) -> Ruling:
    """By the policy of the job's own tenant: others have theirs of that name."""
    return ruling_of(job.spec.gate, runner.store.of(job.tenant).policies) if job.spec.gate else Ruling()


KINDS: Kinds = {
    ShardKind.PLAN: plan_job,
    ShardKind.MEASURE: measure_slice,
    ShardKind.LOOK: look_at,
    ShardKind.SUMMARISE: sum_up,
}
