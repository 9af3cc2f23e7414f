"""The one task: a shell. A ring carries nothing; what waits is in the database."""

from collections.abc import Callable

from celery import Celery

from service.queue.notifier import WORK
from worker.runner import Runner


def register(app: Celery, runner: Callable[[], Runner]) -> None:
    """Give the application its task."""

    @app.task(name=WORK, acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
    def work() -> None:
        runner().work()
