"""The use cases: submit a job, look at it, cancel it, read its results. Knows no HTTP."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from service import logs
from service.admission import admission_problems, pinned
from service.artifacts import ArtifactPlace
from service.checks import Known, find_problems
from service.domain import OPEN_STATES, Job, JobState
from service.errors import (
    FieldProblem,
    InputRefused,
    InspectionRefused,
    JobEnded,
    JobHasNoResults,
    JobNotFinished,
    KeyReused,
    SpecInvalid,
    VerdictNotFound,
)
from service.gate import Verdict
from service.inspection import Inspect
from service.job_limits import JobLimits
from service.locations import is_remote, path_of
from service.queue import Doorbell
from service.redaction import redacted_urls
from service.spec import JobSpec, digest_of
from service.storage import Store
from service.storage.images import Measured
from service.verdicts import verdict_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Jobs:
    """What can be done with jobs, given where they are kept and whom to ring for."""

    store: Store
    doorbell: Doorbell
    known: Known
    limits: JobLimits

    @property
    def artifacts(self) -> ArtifactPlace:
        """What was uploaded."""
        return self.known.artifacts

    def of(self, tenant: str) -> "Jobs":
        """The same for one tenant, who sees nothing of any other."""
        store = self.store.of(tenant)
        artifacts = replace(self.artifacts, owners=store.owners)
        return replace(self, store=store, known=replace(self.known, artifacts=artifacts))

    def submit(self, spec: JobSpec, key: str | None = None) -> Job:
        """Accept a job, or answer the one that this key brought before. Raises SpecInvalid, KeyReused, TooManyJobs."""
        digest = digest_of(spec)
        before = self.store.jobs.of_key(key) if key is not None else None
        job, stored = before or self._accept(spec, digest, key)
        if stored != digest:
            raise KeyReused(key=key, job=job.id)
        with logs.bound(job=job.id):
            log.info("A job waits")
        self.doorbell.ring()
        return job

    def _accept(self, spec: JobSpec, digest: str, key: str | None) -> tuple[Job, str]:
        """Check a spec, and accept it in the transaction that checks what the database says of it."""
        problems = [*self._too_many_runs(spec), *find_problems(spec, self.known)]
        with self.store.transaction() as store:
            problems += admission_problems(spec, store)
            if problems:
                raise SpecInvalid(list(dict.fromkeys(problems)))  # both may say that an artifact is not there
            return store.jobs.accept(pinned(spec, store), digest, key, self.limits.open_jobs)

    def _too_many_runs(self, spec: JobSpec) -> Iterator[FieldProblem]:
        runs = sum(len(cohort.runs) for cohort in spec.cohorts)
        if runs > self.limits.runs:
            detail = f"{runs} runs in all, and a job may have {self.limits.runs}; see SALIENCE_JOB_RUNS"
            yield FieldProblem("cohorts", detail)

    def inspect(self, asked: Inspect) -> str:
        """Have a worker look at something. Returns the inspection's ID. Raises InspectionRefused."""
        field, uri = asked.subject()
        try:
            if is_remote(uri):
                self.known.find(uri)
            else:  # files are looked for by the worker
                path_of(uri)
        except InputRefused as refused:
            raise InspectionRefused(field=field, reason=redacted_urls(str(refused))) from refused
        return self.store.inspections.ask(asked)

    def cancel(self, job: str) -> Job:
        """Stop a job. Raises JobNotFound, and JobEnded where it had ended otherwise."""
        stopped = self.store.jobs.cancel(job)
        if stopped.state is not JobState.CANCELLED:
            raise JobEnded(job=job, state=stopped.state)
        return stopped

    def results(self, job: str) -> str:
        """The results' JSON text. Raises JobNotFound, JobNotFinished, JobHasNoResults."""
        document = self.store.jobs.summary(job)
        if document is None:
            self._refuse(self.store.jobs.get(job))
        return str(document)

    def verdict(self, job: str) -> Verdict:
        """What a job's gate says. Raises JobNotFound, VerdictNotFound, JobNotFinished."""
        found = self.store.jobs.get(job)
        if found.spec.gate is None:
            raise VerdictNotFound(job=job)
        if found.state in OPEN_STATES:
            raise JobNotFinished(job=job, state=found.state)
        verdict = verdict_of(found)
        assert verdict is not None, "a job that has ended and has a gate has a verdict"
        return verdict

    def measured(self, job: Job, start: int, count: int) -> list[Measured]:
        """Pictures of a succeeded job with their numbers. Raises JobNotFinished, JobHasNoResults."""
        self.expect_success(job)
        return self.store.images.measured(job.id, start, min(start + count, job.images_audited))

    def expect_success(self, job: Job) -> None:
        """Raise JobNotFinished or JobHasNoResults where a job has not succeeded."""
        if job.state is not JobState.SUCCEEDED:
            self._refuse(job)

    def _refuse(self, job: Job) -> None:
        if job.state in (JobState.FAILED, JobState.CANCELLED):
            reason = (job.error or {}).get("detail", "it was stopped on request")
            raise JobHasNoResults(job=job.id, state=job.state, reason=reason)
        raise JobNotFinished(job=job.id, state=job.state)
