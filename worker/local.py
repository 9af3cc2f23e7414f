"""An audit in this process, without a server: the same plan, shards and summary, on a temporary database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from service import schema
from service.artifacts import ArtifactPlace
from service.checks import find_problems
from service.domain import Job
from service.errors import SpecInvalid
from service.settings import WorkerSettings
from service.spec import JobSpec, digest_of
from service.storage import Store
from worker.outfit import means_of
from worker.runner import Runner

ANYWHERE = (Path("/"),)


@dataclass(frozen=True)
class LocalAudit:
    """A store with one job in it, and the runner that will do its work."""

    store: Store
    job: str
    runner: Runner

    def run(self) -> Job:
        """Do all of the job's work. Returns the job as it ended."""
        while self.runner.work():
            pass
        return self.look()

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
