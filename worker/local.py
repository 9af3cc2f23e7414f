"""An audit without a server: the same plan, shards and summary, on a temporary database.

The plan is made in this process; on a CPU, processes that it forks then measure beside each other, with the models
that planning loaded.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from service.artifacts.store import ArtifactStore
from service.domain.job import OPEN_STATES, Job
from service.errors import SpecInvalid, WorkFailed
from service.jobs.validation.fields import InputLocator, find_problems
from service.jobs.validation.references import reference_problems
from service.queue.parent_death import exit_with_parent
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from service.storage import migrate as schema
from worker.context import worker_context
from worker.runner import Runner
from worker.runtime.devices import processes_for
from worker.settings import WorkerSettings

ANYWHERE = (Path("/"),)
PAUSE_SECONDS = 0.1


def ignore_progress(job: Job) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class LocalAudit:
    """A database with one job in it, the runner that will do its work, and how many processes share it."""

    database: str
    store: Store
    job: str
    runner: Runner
    processes: int

    def plan(self) -> None:
        """Do the first of the work alone, on one thread, so that a fork loses none."""
        self.runner.work()

    def run(self, show: Callable[[Job], None] = ignore_progress) -> Job:
        """Do all of the job's work, telling how it goes. Returns the job as it ended. Raises WorkFailed."""
        if self.job_state().plan is None:
            self.plan()
        self.store.database.close()  # connections are not for children
        children = [self._fork() for _ in range(self.processes)] if self.processes > 1 else []
        try:
            while (job := self.job_state()).state in OPEN_STATES:
                show(job)
                self._wait(children)
        finally:
            for child in children:
                child.terminate()
                child.join()
        return job

    def job_state(self) -> Job:
        """The job as it stands."""
        return self.store.jobs.get(self.job)

    def _wait(self, children: list[BaseProcess]) -> None:
        """Until a child has ended, or for a moment; without children, do a shard."""
        if not children:
            _work(self.runner)
            return
        wait([child.sentinel for child in children], PAUSE_SECONDS)
        for child in children:
            if child.exitcode:
                raise WorkFailed(reason=f"a process of the audit ended with status {child.exitcode}; is memory short?")

    def _fork(self) -> BaseProcess:
        child = get_context("fork").Process(target=self._run_child, args=(os.getpid(),))
        child.start()
        return child

    def _run_child(self, parent: int) -> None:
        """In a child: work until all is done, on connections and threads of its own."""
        exit_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
        store = Store.open(self.database)
        runner = replace(self.runner, store=store, name=f"local {os.getpid()}")
        while store.jobs.get(self.job).state in OPEN_STATES:
            _work(runner)


def _work(runner: Runner) -> None:
    if not runner.work():
        time.sleep(PAUSE_SECONDS)  # what is left of the work waits, for its turn or for another process


@contextmanager
def local_audit(spec: JobSpec, settings: WorkerSettings) -> Iterator[LocalAudit]:
    """Prepare an audit whose files may lie anywhere. Raises SpecInvalid."""
    problems = find_problems(
        spec, InputLocator(ANYWHERE, ArtifactStore(settings.artifacts_location), settings.allowed_web_hosts)
    )
    if problems:
        raise SpecInvalid(problems)
    with TemporaryDirectory(prefix="salience-audit-") as folder:
        database = f"sqlite:///{folder}/audit.sqlite"
        store = Store.open(database)
        try:
            schema.upgrade(store.database.engine)
            problems = reference_problems(spec, store)  # policies and earlier jobs, of which it has none
            if problems:
                raise SpecInvalid(problems)
            job, _ = store.jobs.accept(spec, spec_digest(spec), key=None)
            means = worker_context(settings, 0, ANYWHERE)
            runner = Runner(store, means, "local", settings.lease_seconds, notify=lambda _: None)
            # Where there is a GPU, autograd starts threads for it, which a fork would lose.
            processes = 1 if torch.cuda.is_available() else processes_for(settings.device, settings.processes)
            yield LocalAudit(database, store, job.id, runner, processes)
        finally:
            store.database.close()
