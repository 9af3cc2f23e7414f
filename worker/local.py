"""An audit in this process, without a server: the same plan, shards and summary, on a temporary database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from service import schema
from service.artifacts import ArtifactPlace
from service.checks import find_problems
from service.domain import OPEN_STATES, Job
from service.errors import SpecInvalid
from service.settings import WorkerSettings
from service.spec import JobSpec, digest_of
from service.storage import Store
from worker.outfit import means_of
from worker.runner import Runner

ANYWHERE = (Path("/"),)
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class LocalAudit:
    """A store with one job in it, and the runner that will do its work."""

    store: Store
    job: str
    runner: Runner

    def run(self) -> Job:
        """Do all of the job's work. Returns the job as it ended."""
        while (job := self.look()).state in OPEN_STATES:
            if not self.runner.work():
                time.sleep(PAUSE_SECONDS)  # what was left of the work waits to be tried again
        return job

    def look(self) -> Job:
        """The job as it stands."""
        return self.store.jobs.get(self.job)


@contextmanager
def local_audit(spec: JobSpec, settings: WorkerSettings) -> Iterator[LocalAudit]:
    """Prepare an audit whose files may lie anywhere. Raises SpecInvalid."""
    problems = find_problems(spec, ANYWHERE, ArtifactPlace(settings.artifacts_location))
    if problems:
        raise SpecInvalid(problems)
    with TemporaryDirectory(prefix="salience-audit-") as folder:
        store = Store.open(f"sqlite:///{folder}/audit.sqlite")
        try:
            schema.upgrade(store.database.engine)
            job, _ = store.jobs.accept(spec, digest_of(spec), key=None)
            means = means_of(settings, 0, ANYWHERE)
            yield LocalAudit(store, job.id, Runner(store, means, "local", settings.lease_seconds, ring=lambda _: None))
        finally:
            store.database.close()
