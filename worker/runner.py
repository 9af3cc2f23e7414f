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

from service.domain.job import Job, Shard, ShardKind
from service.domain.maps import MapRequest
from service.errors import DatabaseUnavailable, InputRefused, JobNotFound, LeaseLost, WorkerShuttingDown, WorkFailed
from service.gate import evaluate, number_lookup
from service.jobs.verdicts import ResolvedGate, resolve_gate
from service.net.patience import retry_while_unavailable
from service.storage import Store
from service.telemetry.logs import bound_ids
from service.telemetry.tracing import span
from worker.audit.shard import audit_shard
from worker.context import WorkerContext
from worker.failures import check_unreadable_share, is_retryable, user_message
from worker.inspection import Inspector
from worker.maps.explain_again import explain_again
from worker.planning.planner import Planner
from worker.planning.survey import MAX_IMAGES
from worker.results.build import build_results
from worker.results.interim import look
from worker.results.sample import request_maps
from worker.runtime.lease import Lease
from worker.runtime.metrics import SHARDS, timed

MAX_NOTIFICATIONS = 64  # at once; sweeps ring for what waits longer

Claimed = TypeVar("Claimed")

log = logging.getLogger(__name__)


def never_stopping() -> bool:
    """Nobody asks this worker to stop."""
    return False


@dataclass(frozen=True)
class Runner:
    """Does waiting work, each kind its way. `notify` calls for as many other workers as new work could use."""

    store: Store
    context: WorkerContext
    name: str
    lease_seconds: float
    notify: Callable[[int], None]
    stopping: Callable[[], bool] = never_stopping
    kinds: "Kinds" = field(default_factory=lambda: KINDS)
    max_images: int = MAX_IMAGES

    def work(self) -> bool:
        """Look at what somebody waits for, else do the waiting shard whose turn it is.

        False: nothing waits, or this worker is to stop.
        """
        try:
            return self._inspect() or self._make_maps() or self._shard()
        finally:
            self.context.inputs.cache.release()

    def _shard(self) -> bool:
        """Do the waiting shard whose turn it is. False: none waits."""
        shard = self._claim(lambda: self.store.leases.claim(self.name, self.lease_seconds))
        if shard is None:
            return False
        with bound_ids(job=shard.job, shard=shard.id), timed(shard.kind):
            outcome = self._process_shard(shard)
            SHARDS.labels(shard.kind, outcome).inc()
            log.info("A %s shard: %s", shard.kind, outcome)
        return True

    def _process_shard(self, shard: Shard) -> str:
        """Do a shard, whatever comes. Returns what came of it."""
        try:
            with Lease(self.store.leases, shard, self.lease_seconds, self.stopping) as lease:
                self._run_shard(shard, lease)
        except LeaseLost as stopped:
            log.info("%s", stopped)
            return "lost"
        except WorkerShuttingDown as stops:
            log.info("%s", stops)
            retry_while_unavailable(lambda: self.store.leases.give_back([self.name]))
            return "given back"
        except InputRefused as refused:
            self._fail(shard, refused)
            return "refused"
        except Exception as reason:
            if not self._holds(shard):  # its job was forgotten, say, with all that the work goes by
                log.info(
                    "Shard %d was dropped, as it is no longer this worker's: %s", shard.id, self._user_message(reason)
                )
                return "lost"
            log.exception("Shard %d of job %s ran into trouble", shard.id, shard.job)
            self._retry_later(shard, reason)
            return "trouble"
        return "done"

    def _holds(self, shard: Shard) -> bool:
        """Whether a shard is still this worker's; so it is held to be while the database is away."""
        try:
            return self.store.leases.holds(shard)
        except DatabaseUnavailable:
            return True

    def _claim(self, claim: Callable[[], Claimed | None]) -> Claimed | None:
        """What is claimed; None where nothing waits, this worker is to stop, or the database is away."""
        try:
            return None if self.stopping() else claim()
        except DatabaseUnavailable:  # a sweep will ring again
            return None

    def _inspect(self) -> bool:
        """Do the oldest inspection. False: none waits."""
        inspection = self._claim(self.store.inspections.claim)
        if inspection is None:
            return False
        found, error = None, None
        try:
            places = self.context.inputs.for_job(
                inspection.id, self.store.for_tenant(inspection.tenant).artifact_owners
            )
            found = Inspector(places, self.context.models.trial).inspect(inspection.asked)
        except InputRefused as refused:
            error = {"detail": self._user_message(refused), "field": str(refused.facts.get("field"))}
        except Exception as reason:
            log.exception("Inspection %s ran into trouble", inspection.id)
            error = {"detail": self._user_message(reason), "field": inspection.asked.subject()[0]}
        retry_while_unavailable(lambda: self.store.inspections.record_answer(inspection.id, found, error))
        return True

    def _make_maps(self) -> bool:
        """Make the maps that wait next. False: none wait."""
        request = self._claim(self.store.map_requests.claim)
        if request is None:
            return False
        try:
            explain_again(request, self.store, self.context)
        except (InputRefused, JobNotFound) as refused:
            self._refuse_maps(request, self._user_message(refused))
        except Exception as reason:
            log.exception("The maps of image %d of job %s ran into trouble", request.image, request.job)
            self._refuse_maps(request, self._user_message(reason))
        return True

    def _refuse_maps(self, request: MapRequest, reason: str) -> None:
        log.info("No maps of image %d of job %s: %s", request.image, request.job, reason)
        with suppress(JobNotFound):  # it was forgotten meanwhile, and its requests go with it
            retry_while_unavailable(lambda: self.store.map_requests.fail(request, reason))

    def _run_shard(self, shard: Shard, lease: Lease) -> None:
        job = self.store.jobs.get(shard.job)
        facts: dict[str, str | int] = {"salience.job": shard.job, "salience.shard": shard.id}
        with span(f"{shard.kind} shard", SpanKind.CONSUMER, job.trace, facts):
            self.kinds[shard.kind](replace(self, context=self.context.of_job(job, self.store)), job, shard, lease)

    def _retry_later(self, shard: Shard, error: Exception) -> None:
        """After a pause, where that may help."""
        reason = self._user_message(error)
        if is_retryable(error):
            retry_while_unavailable(lambda: self.store.leases.retry_later(shard, reason))
        else:
            self._fail(shard, WorkFailed(reason=reason))

    def _fail(self, shard: Shard, refused: InputRefused) -> None:
        log.info("Job %s fails: %s", shard.job, refused)
        error = {"type": refused.kind, "detail": self._user_message(refused)}
        field = refused.facts.get("field")
        placed = error | ({"field": str(field)} if field else {})
        retry_while_unavailable(lambda: self.store.shards.fail(shard, placed))

    def _user_message(self, error: Exception) -> str:
        return user_message(error, self.context.inputs)


Kinds = Mapping[ShardKind, Callable[[Runner, Job, Shard, Lease], None]]


def plan_job(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """List a job's pictures, check its models, and put its slices into the queue."""
    shards = runner.store.shards
    shards.delete_images(shard)
    planner = Planner(runner.context.models, runner.context.inputs, lease.check, runner.max_images)
    plan = planner.plan(job.spec, lambda images: retry_while_unavailable(lambda: shards.record_images(shard, images)))
    runner.notify(retry_while_unavailable(lambda: shards.record_plan(shard, plan)))


def measure_slice(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Audit a slice of a job's pictures."""
    images = runner.store.images.slice(job.id, shard.start, shard.stop)
    find = partial(runner.store.cached_values.find, job.id)
    result = audit_shard(
        job, shard, images, runner.context, lease, lambda keys: retry_while_unavailable(lambda: find(keys))
    )

    def record() -> bool:
        check_unreadable_share(job, [*runner.store.images.skipped(job.id), *result.images])
        return runner.store.shards.record_values(shard, result)

    if retry_while_unavailable(record):
        runner.notify(1)


def run_interim_look(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Look at a job's numbers so far; one that stops when it is decided may end by them."""
    began = time.monotonic()
    seen = look(job, shard.stop, runner.store, lease.check, _resolve_gate(runner, job))
    spent = time.monotonic() - began
    if retry_while_unavailable(lambda: runner.store.interim.record(shard, seen.so_far, seen.decided, spent)):
        runner.notify(1)


def summarise_job(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Make a job's results of its numbers."""
    check_unreadable_share(job, runner.store.images.skipped(job.id))
    ruling = _resolve_gate(runner, job)
    document = build_results(job, runner.store, lease.check, ruling.rules)
    verdict = (
        evaluate(ruling.rules, number_lookup(document), ruling.policy).model_dump(mode="json") if ruling.rules else None
    )
    if job.spec.stop:  # its intervals are those that could be looked at
        verdict = (job.so_far or {})["verdict"]
        document["stopped"] = {"images": job.images_audited, "of": job.images_total}
    waiting = retry_while_unavailable(lambda: request_maps(job, runner.store, document["sample"]))
    text = json.dumps({**document, "verdict": verdict}, allow_nan=False)
    retry_while_unavailable(lambda: runner.store.shards.record_summary(shard, text, verdict))
    runner.notify(min(waiting, MAX_NOTIFICATIONS))


def _resolve_gate(runner: Runner, job: Job) -> ResolvedGate:
    """By the policy of the job's own tenant: others have theirs of that name."""
    return (
        resolve_gate(job.spec.gate, runner.store.for_tenant(job.tenant).policies) if job.spec.gate else ResolvedGate()
    )


KINDS: Kinds = {
    ShardKind.PLAN: plan_job,
    ShardKind.MEASURE: measure_slice,
    ShardKind.LOOK: run_interim_look,
    ShardKind.SUMMARISE: summarise_job,
}
