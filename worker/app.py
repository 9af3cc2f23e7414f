"""The Celery worker: its settings, and one runner in each of its processes."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

from billiard import current_process
from celery import Celery
from celery.signals import setup_logging, worker_process_init, worker_process_shutdown, worker_shutting_down

from service.queue.notifier import WORK, WorkNotifier, make_celery
from service.queue.parent_death import exit_with_parent
from service.queue.sweeper import running_sweeper
from service.storage import Store
from service.telemetry import logs, tracing
from worker.context import worker_context
from worker.runner import KINDS, Kinds, Runner
from worker.runtime.memory import limit_memory
from worker.runtime.metrics import serve_metrics
from worker.runtime.shutdown import StopFlag, name_of_process, stop_within
from worker.settings import WorkerSettings


def make_app(settings: WorkerSettings, kinds: Kinds = KINDS) -> Celery:
    """The application that `salience worker` runs, with what it does of each kind. Its processes end with this one."""
    app = make_celery(settings.broker_url)
    app.conf.update(
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=60,
        worker_hijack_root_logger=False,
        broker_connection_max_retries=None,
    )
    stopping = StopFlag()
    _connect(settings, stopping)
    _observe(settings)

    @cache
    def runner() -> Runner:
        """Made when first asked for, which is after the fork: torch must not have worked before it."""
        return replace(make_runner(settings, stopping), kinds=kinds)

    @app.task(name=WORK, acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
    def work() -> None:
        runner().work()

    return app


def _connect(settings: WorkerSettings, stopping: StopFlag) -> None:
    """Have Celery tell when a process begins, and when all are to end."""
    parent, kept = os.getpid(), ExitStack()

    def begin(**_: object) -> None:
        exit_with_parent(parent)
        limit_memory(settings.memory_limit)
        if _index() == 0:  # one of a worker's processes is enough, and after the fork, which threads do not survive
            store = Store.open(settings.database, settings.max_worker_crashes, settings.database_timeouts)
            kept.enter_context(running_sweeper(store, WorkNotifier(settings.broker_url), settings))

    def stop(**_: object) -> None:
        stopping.set()
        leases = Store.open(settings.database, timeouts=settings.database_timeouts).leases
        stop_within(settings.shutdown_grace_seconds, leases.give_back)

    worker_process_init.connect(begin, weak=False)
    worker_shutting_down.connect(stop, weak=False)


def _observe(settings: WorkerSettings) -> None:
    """Have logs, spans and metrics of every process as the settings say."""

    def log_so(**_: object) -> None:
        logs.configure(settings.log_format, settings.log_level)

    def begin(**_: object) -> None:
        tracing.configure("salience-worker")
        serve_metrics(settings.metrics_host, settings.metrics_port and settings.metrics_port + _index())

    def end(**_: object) -> None:
        tracing.flush()

    setup_logging.connect(log_so, weak=False)  # Celery, so told, leaves logging alone
    worker_process_init.connect(begin, weak=False)
    worker_process_shutdown.connect(end, weak=False)


def make_runner(settings: WorkerSettings, stopping: Callable[[], bool]) -> Runner:
    """The runner of this process."""
    return Runner(
        store=Store.open(settings.database, settings.max_worker_crashes, settings.database_timeouts),
        context=worker_context(settings, _index(), settings.roots),
        name=name_of_process(os.getpid()),
        lease_seconds=settings.lease_seconds,
        notify=WorkNotifier(settings.broker_url).notify,
        stopping=stopping,
        max_images=settings.max_job_images,
    )


def _index() -> int:
    return int(getattr(current_process(), "index", 0))
