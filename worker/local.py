"""Runs an audit without a server: plans, audits and summarises one job on a temporary database, as a worker does.

This process makes the plan. On a CPU, it then forks processes that audit in parallel with the models that planning
loaded.
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
    """Ignore the state of the job."""


@dataclass(frozen=True)
class LocalAudit:
    """A database with one job, the runner of its work, and the number of processes that share the work."""

    database: str
    store: Store
    job: str
    runner: Runner
    processes: int

    def plan(self) -> None:
        """Plan the job in this process, on one thread: a later fork would lose other threads."""
        self.runner.work()

    def run(self, show: Callable[[Job], None] = ignore_progress) -> Job:
        """Run the job to its end, and return its final state. `show` receives the states before. Raises WorkFailed."""
        if self.job_state().plan is None:
            self.plan()
        self.store.database.close()  # a child process must not use its parent's connections
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
        """Return the current state of the job."""
        return self.store.jobs.get(self.job)

    def _wait(self, children: list[BaseProcess]) -> None:
        """Wait until a child exits or PAUSE_SECONDS have passed. Without children, process a shard."""
        if not children:
            _work(self.runner)
            return
        wait([child.sentinel for child in children], PAUSE_SECONDS)
        for child in children:
            if child.exitcode:
                raise WorkFailed(
                    reason=f"a process of the audit exited with status {child.exitcode}; check whether memory ran out"
                )

    def _fork(self) -> BaseProcess:
        child = get_context("fork").Process(target=self._run_child, args=(os.getpid(),))
        child.start()
        return child

    def _run_child(self, parent: int) -> None:
        """Work in a child process until the job has ended, with connections and threads of its own."""
        exit_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles the signal
        store = Store.open(self.database)
        runner = replace(self.runner, store=store, name=f"local {os.getpid()}")
        while store.jobs.get(self.job).state in OPEN_STATES:
            _work(runner)


def _work(runner: Runner) -> None:
    if not runner.work():
        # No shard can be claimed: other processes have all shards, or the next retry is not due yet.
        time.sleep(PAUSE_SECONDS)


@contextmanager
def local_audit(spec: JobSpec, settings: WorkerSettings) -> Iterator[LocalAudit]:
    """Prepare an audit that may read any file of this machine. Raises SpecInvalid."""
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
            # This database has no policies and no earlier jobs, so references to them are problems.
            problems = reference_problems(spec, store)
            if problems:
                raise SpecInvalid(problems)
            job, _ = store.jobs.accept(spec, spec_digest(spec), key=None)
            context = worker_context(settings, 0, ANYWHERE)
            runner = Runner(store, context, "local", settings.lease_seconds, notify=lambda _: None)
            # With a GPU, autograd starts threads, which a fork would lose.
            processes = 1 if torch.cuda.is_available() else processes_for(settings.device, settings.processes)
            yield LocalAudit(database, store, job.id, runner, processes)
        finally:
            store.database.close()
