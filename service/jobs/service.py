"""The use cases of jobs: submit, inspect, cancel, and read results. Knows no HTTP."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from structlog.contextvars import bound_contextvars

from service.artifacts.store import ArtifactStore
from service.domain.inspection import Inspect
from service.domain.job import OPEN_STATES, Job, JobState
from service.errors import (
    FieldProblem,
    IdempotencyKeyReused,
    InputRefused,
    InspectionRefused,
    JobEnded,
    JobHasNoResults,
    JobNotFinished,
    SpecInvalid,
    VerdictNotFound,
)
from service.gate import Verdict
from service.inputs.uris import is_remote, path_from_uri
from service.jobs.validation.fields import InputLocator, find_problems
from service.jobs.validation.references import reference_problems, with_pinned_references
from service.jobs.verdicts import verdict_for
from service.queue.notifier import WorkNotifier
from service.settings import JobLimits
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from service.storage.images import MeasuredImage
from service.telemetry.redaction import redact_urls

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Jobs:
    """The use cases of jobs for one tenant or for all."""

    store: Store
    notifier: WorkNotifier
    inputs: InputLocator
    limits: JobLimits

    @property
    def artifacts(self) -> ArtifactStore:
        """The uploaded artifacts."""
        return self.inputs.artifacts

    def for_tenant(self, tenant: str) -> "Jobs":
        """Return the use cases for one tenant, which cannot see the objects of other tenants."""
        store = self.store.for_tenant(tenant)
        artifacts = replace(self.artifacts, owners=store.artifact_owners)
        return replace(self, store=store, inputs=replace(self.inputs, artifacts=artifacts))

    def submit(self, spec: JobSpec, key: str | None = None) -> Job:
        """Accept a job, or return the job that this idempotency key created before.

        Raises SpecInvalid, IdempotencyKeyReused, TooManyJobs.
        """
        digest = spec_digest(spec)
        before = self.store.jobs.find_by_key(key) if key is not None else None
        job, stored = before or self._accept(spec, digest, key)
        if stored != digest:
            raise IdempotencyKeyReused(key=key, job=job.id)
        with bound_contextvars(job=job.id):
            log.info("Job accepted")
        self.notifier.notify()
        return job

    def _accept(self, spec: JobSpec, digest: str, key: str | None) -> tuple[Job, str]:
        """Validate a spec and accept the job.

        References to stored objects and the limit of open jobs are checked in the transaction that stores the job.
        """
        problems = [*self._too_many_runs(spec), *find_problems(spec, self.inputs)]
        with self.store.transaction() as store:
            pinned = with_pinned_references(spec, store)
            problems += reference_problems(pinned, store)
            if problems:
                raise SpecInvalid(list(dict.fromkeys(problems)))  # both checks report a missing artifact
            return store.jobs.accept(pinned, digest, key, self.limits.max_open_jobs)

    def _too_many_runs(self, spec: JobSpec) -> Iterator[FieldProblem]:
        runs = sum(len(cohort.runs) for cohort in spec.cohorts)
        if runs > self.limits.max_runs:
            detail = (
                f"the job has {runs} runs, but at most {self.limits.max_runs} are allowed; see SALIENCE_MAX_JOB_RUNS"
            )
            yield FieldProblem("cohorts", detail)

    def inspect(self, request: Inspect) -> str:
        """Request an inspection by a worker. Returns its ID. Raises InspectionRefused."""
        field, uri = request.subject()
        try:
            if is_remote(uri):
                self.inputs.find(uri)
            else:  # the worker checks whether the file exists
                path_from_uri(uri)
        except InputRefused as refused:
            raise InspectionRefused(field=field, reason=redact_urls(str(refused))) from refused
        return self.store.inspections.create(request)

    def cancel(self, job: str) -> Job:
        """Cancel a job. Raises JobNotFound, and JobEnded if the job has succeeded or failed."""
        stopped = self.store.jobs.cancel(job)
        if stopped.state is not JobState.CANCELLED:
            raise JobEnded(job=job, state=stopped.state)
        return stopped

    def results(self, job: str) -> str:
        """Return the results as JSON text. Raises JobNotFound, JobNotFinished, JobHasNoResults."""
        document = self.store.jobs.summary(job)
        if document is None:
            self._raise_no_results(self.store.jobs.get(job))
        return str(document)

    def verdict(self, job: str) -> Verdict:
        """Return the verdict of a job's gate. Raises JobNotFound, VerdictNotFound, JobNotFinished."""
        found = self.store.jobs.get(job)
        if found.spec.gate is None:
            raise VerdictNotFound(job=job)
        if found.state in OPEN_STATES:
            raise JobNotFinished(job=job, state=found.state)
        verdict = verdict_for(found)
        assert verdict is not None, "a job that has ended and has a gate has a verdict"
        return verdict

    def image_values(self, job: Job, start: int, count: int) -> list[MeasuredImage]:
        """Return images of a succeeded job with their measured values. Raises JobNotFinished, JobHasNoResults."""
        self.expect_success(job)
        return self.store.images.measured(job.id, start, min(start + count, job.images_audited))

    def expect_success(self, job: Job) -> None:
        """Raise JobNotFinished or JobHasNoResults if a job has not succeeded."""
        if job.state is not JobState.SUCCEEDED:
            self._raise_no_results(job)

    def _raise_no_results(self, job: Job) -> None:
        if job.state in (JobState.FAILED, JobState.CANCELLED):
            reason = (job.error or {}).get("detail", "it was cancelled on request")
            raise JobHasNoResults(job=job.id, state=job.state, reason=reason)
        raise JobNotFinished(job=job.id, state=job.state)
