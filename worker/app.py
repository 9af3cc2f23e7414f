"""The Celery worker: its settings, and one runner in each of its processes."""

import os
import socket
from functools import cache

import torch
from billiard import current_process
from celery import Celery
from celery.signals import worker_process_init

from service.queue import Doorbell, make_celery
from service.settings import WorkerSettings
from service.storage import Store
from service.tether import die_with
from worker.outfit import means_of
from worker.runner import Runner
from worker.tasks import register


def make_app(settings: WorkerSettings) -> Celery:
    """The application that `salience worker` runs. Its processes end with this one."""
    app = make_celery(settings.broker_url)
    app.conf.update(
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=60,
        worker_hijack_root_logger=False,
        broker_connection_max_retries=None,
    )
    parent = os.getpid()

    def bind(**_: object) -> None:
        die_with(parent)

    worker_process_init.connect(bind, weak=False)

    @cache
    def runner() -> Runner:
        """Made when first asked for, which is after the fork: torch must not have worked before it."""
        return make_runner(settings)

    register(app, runner)
    return app


def make_runner(settings: WorkerSettings) -> Runner:
    """The runner of this process."""
    index = getattr(current_process(), "index", 0)
    if settings.processes > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // settings.processes))
    return Runner(
        store=Store.open(settings.database),
        means=means_of(settings, index, settings.roots),
        name=f"{socket.gethostname()}:{os.getpid()}",
        lease_seconds=settings.lease_seconds,
        ring=Doorbell(settings.broker_url).ring,
    )
