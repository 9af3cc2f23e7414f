"""Tells workers, by messages through the broker, that shards are waiting.

The shards are in the database, so a lost message only delays work. A message has no content: a worker that receives one
claims the next waiting shard. The queue gets one message for each waiting shard, so autoscaling can use its length.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from kombu.exceptions import OperationalError

from service.domain.format import FORMAT

WORK = "salience.work"
# Each format has its own queue, so no worker receives messages for shards that it cannot process.
QUEUE = f"salience.{FORMAT}"
# More messages than there are workers. Sweeps send further messages later; a million at once would fill the broker.
MAX_QUEUED = 10_000

log = logging.getLogger(__name__)


def make_celery(broker_url: str) -> Celery:
    """Return a Celery application that gives up on an unavailable broker within seconds."""
    app = Celery("salience", broker=broker_url)
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            # The message of a killed worker returns after an hour; the sweeper sends a new one long before that.
            "visibility_timeout": 3600,
        },
    )
    return app


@contextmanager
def _ignoring_unavailable_broker() -> Iterator[None]:
    """Log the error if the broker is unavailable."""
    try:
        yield
    except (OperationalError, OSError) as error:
        log.warning("The broker is unavailable; shards wait for the next sweep: %s", error)


class WorkNotifier:
    """Notifies workers. An unavailable broker is no error, since the sweeper notifies again."""

    def __init__(self, broker_url: str, max_queued: int = MAX_QUEUED) -> None:
        self._app, self._max_queued = make_celery(broker_url), max_queued

    def notify(self, count: int = 1) -> None:
        """Send `count` messages. If `count` is above 1, stop when the queue has its maximum length."""
        with _ignoring_unavailable_broker():
            self._send(count if count == 1 else min(count, self._max_queued - self.length()))

    def refill(self, waiting: int) -> None:
        """Send messages until the queue has one for each waiting shard, or its maximum length."""
        if waiting:
            with _ignoring_unavailable_broker():
                self._send(min(waiting, self._max_queued) - self.length())

    def _send(self, count: int) -> None:
        with self._app.producer_or_acquire() as producer:
            for _ in range(count):
                self._app.send_task(WORK, producer=producer, retry=False)

    def length(self) -> int:
        """Return the number of messages in the queue. Raises OperationalError if the broker is unavailable."""
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            # An empty queue may not exist yet, so declare it with the same options as Celery.
            with connection.channel() as channel:
                return int(channel.queue_declare(queue=QUEUE, durable=True, auto_delete=False).message_count)

    def ping(self) -> None:
        """Raise OperationalError if the broker is unavailable."""
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)

    def close(self) -> None:
        """Close all connections."""
        self._app.close()
