"""Finds work that nobody does: leases run out, rings lost, deadlines passed, jobs without work left; and deletes what
has expired.

Every API process and every worker sweeps, so none of them is needed. Sweeping twice is harmless.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.artifacts.store import ArtifactStore
from service.errors import DatabaseUnavailable
from service.queue.notifier import WorkNotifier
from service.queue.periodic import running_periodically
from service.settings import StoreSettings
from service.storage import Store
from service.storage.outdated import plan_outdated_anew

CLEANUP_SECONDS = 60.0
PURGE_SECONDS = 1.0
MIN_PAUSE = 0.05

log = logging.getLogger(__name__)


@dataclass
class Sweeper:
    """Sweeps every so many seconds, and when a lease runs out."""

    store: Store
    notifier: WorkNotifier
    settings: StoreSettings
    artifacts: ArtifactStore | None = None
    retry_notify_at: float = 0.0
    cleanup_at: float = 0.0

    def sweep(self) -> None:
        """Fail what is overdue, plan anew what is outdated, give out expired shards again, ring for all that wait."""
        self.store.retention.fail_overdue()
        outdated = plan_outdated_anew(self.store.database)
        if outdated:
            log.warning("%d job(s) of an earlier release are planned anew: this one computes other numbers", outdated)
        if time.monotonic() >= self.retry_notify_at:
            released = self.store.leases.release_expired()
            if released:
                log.warning("%d shard(s) were given out again: their leases had run out", released)
        self.notifier.refill(self.store.leases.claimable_count() + self.store.map_requests.pending_count())

    def clean_up(self) -> None:
        """End jobs without work, forget what has been kept long enough, and delete some rows of what is forgotten."""
        stranded = self.store.retention.end_without_work()
        if stranded:
            log.error("%d job(s) had no work left to end them, and have failed", stranded)
        self.store.retention.expire(self.settings.retention_days * 86400, self.settings.idempotency_key_hours * 3600)
        self.store.retention.purge(PURGE_SECONDS)
        if self.artifacts is not None:
            self.artifacts.expire(self.settings.retention_days * 86400)

    def seconds_until_next(self) -> float:
        """Seconds until the next sweep."""
        expiry = self.store.leases.next_expiry()
        left = self.settings.sweep_seconds if expiry is None else expiry + MIN_PAUSE
        return max(MIN_PAUSE, min(self.settings.sweep_seconds, left))

    def step(self) -> float:
        """Sweep, and tidy where it is time. Returns the seconds until the next step."""
        try:
            self.sweep()
            if time.monotonic() >= self.cleanup_at:
                self.cleanup_at = time.monotonic() + CLEANUP_SECONDS
                self.clean_up()
            return self.seconds_until_next()
        except DatabaseUnavailable:
            # While the database was away nobody could renew a lease; the living need a moment to do so.
            self.retry_notify_at = time.monotonic() + self.settings.lease_seconds / 2
            return self.settings.sweep_seconds


@contextmanager
def running_sweeper(
    store: Store, notifier: WorkNotifier, settings: StoreSettings, artifacts: ArtifactStore | None = None
) -> Iterator[None]:
    """Sweep in a thread while this context is open; uploads too, where this process may delete them."""
    sweeper = Sweeper(store, notifier, settings, artifacts)
    with running_periodically("sweeper", sweeper.step, settings.sweep_seconds):
        yield
