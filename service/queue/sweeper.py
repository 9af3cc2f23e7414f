"""Recovers stalled work: expired leases, lost messages, passed deadlines, jobs without shards. Deletes expired data.

Every API process and every worker runs a sweeper, so no single process is required. Sweeping twice is harmless.
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
from service.storage.outdated import replan_outdated

CLEANUP_SECONDS = 60.0
PURGE_SECONDS = 1.0
MIN_PAUSE = 0.05

log = logging.getLogger(__name__)


@dataclass
class Sweeper:
    """Sweeps every `sweep_seconds`, and whenever a lease expires."""

    store: Store
    notifier: WorkNotifier
    settings: StoreSettings
    artifacts: ArtifactStore | None = None
    release_after: float = 0.0
    cleanup_at: float = 0.0

    def sweep(self) -> None:
        """Fail overdue jobs, restart outdated jobs, requeue expired shards, and notify workers of all waiting work."""
        self.store.retention.fail_overdue()
        outdated = replan_outdated(self.store.database)
        if outdated:
            log.warning("%d job(s) of an earlier release restart, since this release computes other numbers", outdated)
        if time.monotonic() >= self.release_after:
            released = self.store.leases.release_expired()
            if released:
                log.warning("%d shard(s) were requeued because their leases had expired", released)
        self.notifier.refill(self.store.leases.claimable_count() + self.store.map_requests.pending_count())

    def clean_up(self) -> None:
        """Fail jobs without shards, delete expired jobs, keys and artifacts, and remove some rows of deleted jobs."""
        failed = self.store.retention.fail_without_work()
        if failed:
            log.error("%d job(s) failed because they had no shards left", failed)
        self.store.retention.expire(self.settings.retention_days * 86400, self.settings.idempotency_key_hours * 3600)
        self.store.retention.purge(PURGE_SECONDS)
        if self.artifacts is not None:
            self.artifacts.expire(self.settings.retention_days * 86400)

    def seconds_until_next(self) -> float:
        """Return the seconds until the next sweep."""
        expiry = self.store.leases.next_expiry()
        delay = self.settings.sweep_seconds if expiry is None else expiry + MIN_PAUSE
        return max(MIN_PAUSE, min(self.settings.sweep_seconds, delay))

    def step(self) -> float:
        """Sweep, and clean up if it is due. Returns the seconds until the next step."""
        try:
            self.sweep()
            if time.monotonic() >= self.cleanup_at:
                self.cleanup_at = time.monotonic() + CLEANUP_SECONDS
                self.clean_up()
            return self.seconds_until_next()
        except DatabaseUnavailable:
            # No worker could renew its lease while the database was unavailable, so give them time to renew.
            self.release_after = time.monotonic() + self.settings.lease_seconds / 2
            return self.settings.sweep_seconds


@contextmanager
def running_sweeper(
    store: Store, notifier: WorkNotifier, settings: StoreSettings, artifacts: ArtifactStore | None = None
) -> Iterator[None]:
    """Sweep in a thread while this context is open. With `artifacts`, expired uploads are deleted too."""
    sweeper = Sweeper(store, notifier, settings, artifacts)
    with running_periodically("sweeper", sweeper.step, settings.sweep_seconds):
        yield
