"""The use cases: submit a job, look at it, cancel it, read its results. Knows no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.artifacts import ArtifactPlace
from service.checks import find_problems
from service.domain import Job, JobState
from service.errors import JobEnded, JobHasNoResults, JobNotFinished, KeyReused, SpecInvalid
from service.queue import Doorbell
from service.spec import JobSpec, digest_of
from service.storage import Store
from service.storage.images import Measured


@dataclass(frozen=True)
class Jobs:
    """What can be done with jobs, given where they are kept and whom to ring for."""

    store: Store
    doorbell: Doorbell
    roots: Sequence[Path]
    artifacts: ArtifactPlace

    def submit(self, spec: JobSpec, key: str | None = None) -> Job:
        """Accept a job, or answer the one that this key brought before. Raises SpecInvalid, KeyReused."""
        digest = digest_of(spec)
        if key is None or not self.store.jobs.knows(key):
            problems = find_problems(spec, self.roots, self.artifacts)
            if problems:
                raise SpecInvalid(problems)
        job, stored = self.store.jobs.accept(spec, digest, key)
        if stored != digest:
            raise KeyReused(key=key, job=job.id)
        self.doorbell.ring()
        return job

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

    def measured(self, job: Job, start: int, count: int) -> list[Measured]:
        """Pictures of a succeeded job with their numbers. Raises JobNotFinished, JobHasNoResults."""
        if job.state is not JobState.SUCCEEDED:
            self._refuse(job)
        return self.store.images.measured(job.id, start, start + count)

    def _refuse(self, job: Job) -> None:
        if job.state in (JobState.FAILED, JobState.CANCELLED):
            reason = (job.error or {}).get("detail", "it was stopped on request")
            raise JobHasNoResults(job=job.id, state=job.state, reason=reason)
        raise JobNotFinished(job=job.id, state=job.state)
