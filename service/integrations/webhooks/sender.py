"""Sends the deliveries in the outbox. Every API process runs a sender; one sender at a time leases a webhook.

A message is sent at least once, and retried for a day until it arrives. Its id is the same at each attempt.
"""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from salience.requests import retry_after
from service.domain.webhook import Attempt, Delivery, Webhook
from service.errors import InputRefused, NotConfigured
from service.integrations.webhooks.messages import render_event, sign_request
from service.integrations.webhooks.secrets import SecretKeys
from service.queue.periodic import running_periodically
from service.storage import Outbox

MAX_CONCURRENT = 8  # receivers at a time; a slow receiver occupies one thread and delays no other
LEASE_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 3600.0
RETENTION_SECONDS = 7 * 24 * 3600
CLEANUP_SECONDS = 600.0
MAX_ERROR_CHARACTERS = 300

log = logging.getLogger(__name__)


@dataclass
class WebhookSender:
    """Sends due deliveries to webhooks; `source` is the public URL of this service."""

    outbox: Outbox
    keys: SecretKeys
    source: str
    client: httpx.Client
    pool: ThreadPoolExecutor
    pause: float
    busy: list[Future[None]] = field(default_factory=list)
    is_stopping: bool = False
    cleanup_at: float = 0.0

    def step(self) -> float:
        """Start threads for webhooks with due deliveries. Returns the seconds until the next step."""
        for each in [each for each in self.busy if each.done()]:
            self.busy.remove(each)
            if error := each.exception():  # the lease expires, and the next sender retries
                log.error("Sending to a webhook failed", exc_info=error)
        while len(self.busy) < MAX_CONCURRENT and (webhook := self.outbox.claim(LEASE_SECONDS)):
            self.busy.append(self.pool.submit(self.serve, webhook))
        if time.monotonic() >= self.cleanup_at:
            self.cleanup_at = time.monotonic() + CLEANUP_SECONDS
            self.outbox.delete_old(RETENTION_SECONDS)
        return self.pause

    def serve(self, webhook: Webhook) -> None:
        """Send all due deliveries of a webhook in order, until the receiver fails."""
        while not self.is_stopping:
            delivery = self.outbox.next_for(webhook.id)
            if delivery is None:
                break
            attempt = self.attempt(webhook, delivery)
            if not self.outbox.record(webhook.id, delivery, attempt, LEASE_SECONDS):
                return
        self.outbox.release(webhook.id)

    def attempt(self, webhook: Webhook, delivery: Delivery) -> Attempt:
        """Post one message and return the result; errors are part of the result."""
        now = time.time()
        try:
            secrets = [self.keys.decrypt(each) for each in webhook.secrets if each.get("until", now) >= now]
            message = sign_request(delivery, render_event(delivery, webhook.format, self.source), secrets, now)
            # Only the status and headers of the response matter; its body is not read.
            with self.client.stream("POST", webhook.url, headers=message.headers, content=message.body) as response:
                return _to_attempt(response)
        except (httpx.HTTPError, httpx.InvalidURL, InputRefused, NotConfigured) as error:
            return Attempt(None, f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS])


def _to_attempt(response: httpx.Response) -> Attempt:
    delay = min(retry_after(response.headers.get("Retry-After", "")), MAX_RETRY_AFTER_SECONDS)
    error = None if response.is_success else f"{response.status_code} {response.reason_phrase}"[:MAX_ERROR_CHARACTERS]
    return Attempt(response.status_code, error, delay)


@contextmanager
def running_sender(outbox: Outbox, keys: SecretKeys, source: str, pause: float, client: httpx.Client) -> Iterator[None]:
    """Send in threads while this context is open. At its end, messages in progress are finished."""
    with ThreadPoolExecutor(MAX_CONCURRENT, thread_name_prefix="webhooks") as pool:
        sender = WebhookSender(outbox, keys, source, client, pool, pause)
        with running_periodically("webhook sender", sender.step, pause):
            try:
                yield
            finally:
                sender.is_stopping = True
