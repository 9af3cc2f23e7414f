"""An audit in this process, without a server: the same plan, shards and summary, on a temporary database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from service import schema
from service.checks import find_problems
from service.domain import Job
from service.errors import SpecInvalid
from service.settings import WorkerSettings
from service.spec import JobSpec, digest_of
from service.storage import Store
from worker.devices import choose_device
from worker.measuring import Means
from worker.runner import Runner
from worker.trying import limits_of

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
    problems = find_problems(spec, ANYWHERE)
    if problems:
        raise SpecInvalid(problems)
    with TemporaryDirectory(prefix="salience-audit-") as folder:
        store = Store.open(f"sqlite:///{folder}/audit.sqlite")
        try:
            schema.upgrade(store.database.engine)
            job, _ = store.jobs.accept(spec, digest_of(spec), key=None)
            means = Means.on(choose_device(settings.device, 0), settings.batch_size, limits_of(settings))
            yield LocalAudit(
                store, job.id, Runner(store, means, ANYWHERE, "local", settings.lease_seconds, ring=lambda _: None)
            )
        finally:
            store.database.close()
