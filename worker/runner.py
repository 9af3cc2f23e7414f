"""Claims inspections, map requests and shards, processes them, and records results and errors."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from opentelemetry.trace import SpanKind
from structlog.contextvars import bound_contextvars

from service.domain.job import Job
from service.domain.maps import MapRequest
from service.domain.work import Shard, ShardKind
from service.errors import DatabaseUnavailable, InputRefused, JobNotFound, LeaseLost, WorkerShuttingDown, WorkFailed
from service.gate import Verdict, judge, with_final_results
from service.jobs.verdicts import ResolvedGate, resolve_gate
from service.net.backoff import retry_while_unavailable
from service.storage import Store
from service.telemetry.tracing import span
from worker.audit.shard import ShardInputs, audit_shard
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

MAX_NOTIFICATIONS = 64  # notifications sent at once; the sweeper sends more if work is still queued

Claimed = TypeVar("Claimed")

log = logging.getLogger(__name__)


def never_stopping() -> bool:
    """Return False: this worker never stops early."""
    return False


@dataclass(frozen=True)
class Runner:
    """Processes queued work. `kinds` maps each kind of shard to its function; `notify(n)` wakes n other workers."""

    store: Store
    context: WorkerContext
    name: str
    lease_seconds: float
    notify: Callable[[int], None]
    stopping: Callable[[], bool] = never_stopping
    kinds: "Kinds" = field(default_factory=lambda: KINDS)
    max_images: int = MAX_IMAGES

    def work(self) -> bool:
        """Process one inspection, map request or shard, in this order of priority.

        Returns False if the queue is empty or this worker must stop.
        """
        try:
            return self._inspect() or self._make_maps() or self._work_on_shard()
        finally:
            self.context.inputs.cache.release()

    def _work_on_shard(self) -> bool:
        """Process the next queued shard. Returns False if none is queued."""
        shard = self._claim(lambda: self.store.leases.claim(self.name, self.lease_seconds))
        if shard is None:
            return False
        with bound_contextvars(job=shard.job, shard=shard.id), timed(shard.kind):
            outcome = self._process_shard(shard)
            SHARDS.labels(shard.kind, outcome).inc()
            log.info("Processed a %s shard: %s", shard.kind, outcome)
        return True

    def _process_shard(self, shard: Shard) -> str:
        """Process a shard and record its outcome or failure. Returns the outcome for logs and metrics."""
        try:
            with Lease(self.store.leases, shard, self.lease_seconds, self.stopping) as lease:
                self._run_shard(shard, lease)
        except LeaseLost as lost:
            log.info("%s", lost)
            return "lost"
        except WorkerShuttingDown as shutdown:
            log.info("%s", shutdown)
            retry_while_unavailable(lambda: self.store.leases.give_back([self.name]))
            return "given back"
        except InputRefused as refused:
            self._fail(shard, refused)
            return "refused"
        except Exception as error:
            if not self._holds(shard):  # for example, because a client deleted the job
                log.info("Shard %d no longer belongs to this worker: %s", shard.id, self._user_message(error))
                return "lost"
            log.exception("Shard %d of job %s failed", shard.id, shard.job)
            self._retry_later(shard, error)
            return "trouble"
        return "done"

    def _holds(self, shard: Shard) -> bool:
        """Return whether this worker still has the lease of a shard; True while the database is unavailable."""
        try:
            return self.store.leases.holds(shard)
        except DatabaseUnavailable:
            return True

    def _claim(self, claim: Callable[[], Claimed | None]) -> Claimed | None:
        """Return what `claim` returns; None if the queue is empty, the database unavailable, or a stop requested."""
        try:
            return None if self.stopping() else claim()
        except DatabaseUnavailable:  # the sweeper will notify again
            return None

    def _inspect(self) -> bool:
        """Process the oldest inspection. Returns False if none is queued."""
        inspection = self._claim(self.store.inspections.claim)
        if inspection is None:
            return False
        found, error = None, None
        try:
            inputs = self.context.inputs.for_job(
                inspection.id, self.store.for_tenant(inspection.tenant).artifact_owners
            )
            found = Inspector(inputs, self.context.models.sandbox).inspect(inspection.asked)
        except InputRefused as refused:
            error = {"detail": self._user_message(refused), "field": str(refused.facts.get("field"))}
        except Exception as failure:
            log.exception("Inspection %s failed", inspection.id)
            error = {"detail": self._user_message(failure), "field": inspection.asked.subject()[0]}
        retry_while_unavailable(lambda: self.store.inspections.record_answer(inspection.id, found, error))
        return True

    def _make_maps(self) -> bool:
        """Make the maps of the oldest request. Returns False if none is queued."""
        request = self._claim(self.store.map_requests.claim)
        if request is None:
            return False
        try:
            explain_again(request, self.store, self.context)
        except (InputRefused, JobNotFound) as refused:
            self._refuse_maps(request, self._user_message(refused))
        except Exception as error:
            log.exception("The maps of image %d of job %s failed", request.image, request.job)
            self._refuse_maps(request, self._user_message(error))
        return True

    def _refuse_maps(self, request: MapRequest, reason: str) -> None:
        log.info("Cannot make the maps of image %d of job %s: %s", request.image, request.job, reason)
        with suppress(JobNotFound):  # a client has deleted the job and its requests meanwhile
            retry_while_unavailable(lambda: self.store.map_requests.fail(request, reason))

    def _run_shard(self, shard: Shard, lease: Lease) -> None:
        job = self.store.jobs.get(shard.job)
        facts: dict[str, str | int] = {"salience.job": shard.job, "salience.shard": shard.id}
        with span(f"{shard.kind} shard", SpanKind.CONSUMER, job.trace, facts):
            self.kinds[shard.kind](replace(self, context=self.context.for_job(job, self.store)), job, shard, lease)

    def _retry_later(self, shard: Shard, error: Exception) -> None:
        """Retry a shard after a pause if that may help, else fail its job."""
        reason = self._user_message(error)
        if is_retryable(error):
            retry_while_unavailable(lambda: self.store.leases.retry_later(shard, reason))
        else:
            self._fail(shard, WorkFailed(reason=reason))

    def _fail(self, shard: Shard, refused: InputRefused) -> None:
        log.info("Job %s failed: %s", shard.job, refused)
        error = {"type": refused.kind, "detail": self._user_message(refused)}
        field = refused.facts.get("field")
        problem = error | ({"field": str(field)} if field else {})
        retry_while_unavailable(lambda: self.store.shards.fail(shard, problem))

    def _user_message(self, error: Exception) -> str:
        return user_message(error, self.context.inputs)


Kinds = Mapping[ShardKind, Callable[[Runner, Job, Shard, Lease], None]]


def plan_job(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """List the images of a job, check its models, and queue its shards."""
    shards = runner.store.shards
    shards.delete_images(shard)
    planner = Planner(runner.context.models, runner.context.inputs, lease.check, runner.max_images)
    plan = planner.plan(job.spec, lambda images: retry_while_unavailable(lambda: shards.record_images(shard, images)))
    runner.notify(retry_while_unavailable(lambda: shards.record_plan(shard, plan)))


def measure_slice(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Audit the images of a shard."""
    images, cached, first = runner.store.images, runner.store.cached_values, job.image_set_of(shard.start).start
    inputs = ShardInputs(
        images.slice(job.id, shard.start, shard.stop),
        lambda label, before: retry_while_unavailable(lambda: images.previous(job.id, label, before, first)),
        lambda keys: retry_while_unavailable(lambda: cached.find(job.id, keys)),
    )
    result = audit_shard(job, shard, inputs, runner.context, lease)

    def record() -> bool:
        check_unreadable_share(job, [*runner.store.images.skipped(job.id), *result.images])
        return runner.store.shards.record_values(shard, result)

    if retry_while_unavailable(record):
        runner.notify(1)


def run_interim_look(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Analyse the numbers of the images audited so far. A job with `stop: when-decided` may end after this."""
    start = time.monotonic()
    interim = look(job, shard.stop, runner.store, lease.check, _resolve_gate(runner, job))
    spent = time.monotonic() - start
    if retry_while_unavailable(lambda: runner.store.interim.record(shard, interim.so_far, interim.decided, spent)):
        runner.notify(1)


def summarise_job(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Compute the results of a job from the values of its images."""
    check_unreadable_share(job, runner.store.images.skipped(job.id))
    gate = _resolve_gate(runner, job)
    document = build_results(job, runner.store, lease.check, gate.rules)
    found = judge(document, gate.rules, gate.limits, gate.policy) if gate.rules else None
    if job.spec.stop and found:  # only the intervals of the last interim look hold after an early stop
        found = with_final_results(Verdict.model_validate((job.so_far or {})["verdict"]), found)
        document["stopped"] = {"images": job.images_audited, "of": job.images_total}
    verdict = found.model_dump(mode="json") if found else None
    waiting = retry_while_unavailable(lambda: request_maps(job, runner.store, document["sample"]))
    text = json.dumps({**document, "verdict": verdict}, allow_nan=False)
    retry_while_unavailable(lambda: runner.store.shards.record_summary(shard, text, verdict))
    runner.notify(min(waiting, MAX_NOTIFICATIONS))


def _resolve_gate(runner: Runner, job: Job) -> ResolvedGate:
    """Resolve a gate by the policies of the job's tenant; other tenants may have policies of the same name."""
    return (
        resolve_gate(job.spec.gate, runner.store.for_tenant(job.tenant).policies) if job.spec.gate else ResolvedGate()
    )


KINDS: Kinds = {
    ShardKind.PLAN: plan_job,
    ShardKind.MEASURE: measure_slice,
    ShardKind.LOOK: run_interim_look,
    ShardKind.SUMMARISE: summarise_job,
}
