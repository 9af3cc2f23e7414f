"""The Celery application of a worker, with one task and one runner per process."""

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
from worker.runtime.shutdown import StopFlag, process_name, stop_within
from worker.settings import WorkerSettings


def make_app(settings: WorkerSettings, kinds: Kinds = KINDS) -> Celery:
    """Make the application of `salience worker`. `kinds` maps each kind of shard to the function that processes it.

    The worker's processes exit when this process exits.
    """
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
        """Make the runner at the first task, after the fork: torch must not compute anything before the fork."""
        return replace(make_runner(settings, stopping), kinds=kinds)

    @app.task(name=WORK, acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
    def work() -> None:
        runner().work()

    return app


def _connect(settings: WorkerSettings, stopping: StopFlag) -> None:
    """Make Celery's signals call `begin` in each new process, and `stop` when the worker shuts down."""
    parent, open_contexts = os.getpid(), ExitStack()

    def begin(**_: object) -> None:
        exit_with_parent(parent)
        limit_memory(settings.memory_limit)
        if _index() == 0:  # one sweeper per worker is enough; a thread started before the fork would end
            store = Store.open(settings.database, settings.max_worker_crashes, settings.database_timeouts)
            open_contexts.enter_context(running_sweeper(store, WorkNotifier(settings.broker_url), settings))

    def stop(**_: object) -> None:
        stopping.set()
        leases = Store.open(settings.database, timeouts=settings.database_timeouts).leases
        stop_within(settings.shutdown_grace_seconds, leases.give_back)

    worker_process_init.connect(begin, weak=False)
    worker_shutting_down.connect(stop, weak=False)


def _observe(settings: WorkerSettings) -> None:
    """Configure logs, tracing and metrics in every process."""

    def configure_logs(**_: object) -> None:
        logs.configure(settings.log_format, settings.log_level)

    def begin(**_: object) -> None:
        tracing.configure("salience-worker")
        serve_metrics(settings.metrics_host, settings.metrics_port and settings.metrics_port + _index())

    def end(**_: object) -> None:
        tracing.flush()

    setup_logging.connect(configure_logs, weak=False)  # while a receiver is connected, Celery leaves logging alone
    worker_process_init.connect(begin, weak=False)
    worker_process_shutdown.connect(end, weak=False)


def make_runner(settings: WorkerSettings, stopping: Callable[[], bool]) -> Runner:
    """Make the runner of this process."""
    return Runner(
        store=Store.open(settings.database, settings.max_worker_crashes, settings.database_timeouts),
        context=worker_context(settings, _index(), settings.roots),
        name=process_name(os.getpid()),
        lease_seconds=settings.lease_seconds,
        notify=WorkNotifier(settings.broker_url).notify,
        stopping=stopping,
        max_images=settings.max_job_images,
    )


def _index() -> int:
    return int(getattr(current_process(), "index", 0))
