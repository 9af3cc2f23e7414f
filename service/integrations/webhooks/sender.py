"""Sends what is in the outbox. Any API process may: a webhook is leased to one sender at a time.

A message is sent at least once, and until it has arrived, for a day; its id is the same each time.
"""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from service.domain.webhook import Attempt, Delivery, Webhook
from service.errors import InputRefused, NotConfigured
from service.integrations.webhooks.messages import render_event, sign_request
from service.integrations.webhooks.secrets import SecretKeys
from service.net.backoff import parse_retry_after
from service.queue.periodic import running_periodically
from service.storage import Outbox

MAX_CONCURRENT = 8  # receivers; a slow one keeps one thread, and no other receiver waiting
LEASE_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 3600.0
RETENTION_SECONDS = 7 * 24 * 3600
CLEANUP_SECONDS = 600.0
MAX_ERROR_CHARACTERS = 300

log = logging.getLogger(__name__)


@dataclass
class WebhookSender:
    """Sends to the webhooks for which something is due; `source` is this service's URL as others know it."""

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
        """Give what is due to threads. Returns the seconds until the next look."""
        for each in [each for each in self.busy if each.done()]:
            self.busy.remove(each)
            if error := each.exception():  # the lease runs out, and the next sender tries again
                log.error("Sending broke off", exc_info=error)
        while len(self.busy) < MAX_CONCURRENT and (webhook := self.outbox.claim(LEASE_SECONDS)):
            self.busy.append(self.pool.submit(self.serve, webhook))
        if time.monotonic() >= self.cleanup_at:
            self.cleanup_at = time.monotonic() + CLEANUP_SECONDS
            self.outbox.delete_old(RETENTION_SECONDS)
        return self.pause

    def serve(self, webhook: Webhook) -> None:
        """Send what is due for one webhook, in turn, until nothing is or the receiver fails."""
        while not self.is_stopping:
            delivery = self.outbox.next_for(webhook.id)
            if delivery is None:
                break
            outcome = self.attempt(webhook, delivery)
            if not self.outbox.record(webhook.id, delivery, outcome, LEASE_SECONDS):
                return
        self.outbox.release(webhook.id)

    def attempt(self, webhook: Webhook, delivery: Delivery) -> Attempt:
        """Post one message. Whatever goes wrong is the outcome."""
        now = time.time()
        try:
            secrets = [self.keys.decrypt(kept) for kept in webhook.secrets if kept.get("until", now) >= now]
            message = sign_request(delivery, render_event(delivery, webhook.format, self.source), secrets, now)
            # A receiver's answer is its status; of what else it sends, nothing is read.
            with self.client.stream("POST", webhook.url, headers=message.headers, content=message.body) as answer:
                return _outcome(answer)
        except (httpx.HTTPError, httpx.InvalidURL, InputRefused, NotConfigured) as error:
            return Attempt(None, f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS])


def _outcome(answer: httpx.Response) -> Attempt:
    rest = min(parse_retry_after(answer.headers.get("Retry-After", "")), MAX_RETRY_AFTER_SECONDS)
    error = None if answer.is_success else f"{answer.status_code} {answer.reason_phrase}"[:MAX_ERROR_CHARACTERS]
    return Attempt(answer.status_code, error, rest)


@contextmanager
def running_sender(outbox: Outbox, keys: SecretKeys, source: str, pause: float, client: httpx.Client) -> Iterator[None]:
    """Send by this client while this is open; then what is under way is finished, and the rest left to others."""
    with ThreadPoolExecutor(MAX_CONCURRENT, thread_name_prefix="webhooks") as pool:
        sender = WebhookSender(outbox, keys, source, client, pool, pause)
        with running_periodically("sending of webhooks", sender.step, pause):
            try:
                yield
            finally:
                sender.is_stopping = True
