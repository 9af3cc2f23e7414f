"""The doorbell: tells workers that something waits. What waits is in the database, so a lost ring costs time only.

A ring carries nothing; a worker that hears one claims the oldest waiting shard. The queue is kept as long
as there are waiting shards, which is what autoscaling goes by.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from kombu.exceptions import OperationalError

from service.domain.job import FORMAT

WORK = "salience.work"
# A version's own, so that no ring is heard by a worker that does not understand the shard it is for.
QUEUE = f"salience.{FORMAT}"
# More than there are workers; sweeps ring again as these are heard. A million shards' rings would fill the broker.
MAX_QUEUED = 10_000

log = logging.getLogger(__name__)


def make_celery(broker_url: str) -> Celery:
    """A Celery application that gives up on a dead broker within seconds."""
    app = Celery("salience", broker=broker_url)
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            # A worker killed in mid-task gives its message back after an hour; the sweeper rings long before.
            "visibility_timeout": 3600,
        },
    )
    return app


@contextmanager
def _ignoring_unavailable_broker() -> Iterator[None]:
    """Let it be where the broker is away."""
    try:
        yield
    except (OperationalError, OSError) as error:
        log.warning("The broker does not answer; shards wait for the next sweep: %s", error)


class WorkNotifier:
    """Rings for workers. Never raises where the broker is away: the sweeper rings again."""

    def __init__(self, broker_url: str, max_queued: int = MAX_QUEUED) -> None:
        self._app, self._most = make_celery(broker_url), max_queued

    def notify(self, times: int = 1) -> None:
        """Ring so often; of several rings, only until the queue is as long as wakes everybody."""
        with _ignoring_unavailable_broker():
            self._send(times if times == 1 else min(times, self._most - self.length()))

    def refill(self, waiting: int) -> None:
        """Ring until the queue is as long as the number of waiting shards, or long enough."""
        if waiting:
            with _ignoring_unavailable_broker():
                self._send(min(waiting, self._most) - self.length())

    def _send(self, times: int) -> None:
        with self._app.producer_or_acquire() as producer:
            for _ in range(times):
                self._app.send_task(WORK, producer=producer, retry=False)

    def length(self) -> int:
        """Rings that no worker has heard yet. Raises OperationalError where the broker is away."""
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            # Declared as Celery declares it: a queue that is empty may not exist yet.
            with connection.channel() as channel:
                return int(channel.queue_declare(queue=QUEUE, durable=True, auto_delete=False).message_count)

    def ping(self) -> None:
        """Raise OperationalError where the broker is away."""
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)

    def close(self) -> None:
        """Give the connections back."""
        self._app.close()
