"""All SQL, spoken in verbs. `Store` bundles what jobs, shards, values and results need of one database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from service.database_settings import DEFAULT, Timeouts
from service.storage.database import Database
from service.storage.images import ImageStore
from service.storage.inspections import InspectionStore
from service.storage.jobs import Found, JobStore, Query
from service.storage.keys import KeyStore
from service.storage.known import KnownStore
from service.storage.leases import DEATHS, LIMITS, LeaseStore
from service.storage.looks import LookStore
from service.storage.map_requests import MapRequestStore
from service.storage.map_sums import MapSumStore
from service.storage.maps import MapStore
from service.storage.outbox import Outbox
from service.storage.owners import OwnerStore
from service.storage.policies import PolicyStore
from service.storage.registry import RegistryStore
from service.storage.retention import Retention
from service.storage.shards import ShardStore
from service.storage.webhooks import WebhookStore

__all__ = [
    "Database", "Found", "ImageStore", "InspectionStore", "JobStore", "KeyStore", "KnownStore", "LeaseStore",
    "LookStore", "MapRequestStore", "MapStore", "MapSumStore", "Outbox", "OwnerStore", "PolicyStore", "Query",
    "RegistryStore", "Retention", "ShardStore", "Store", "WebhookStore",
]  # fmt: skip

MOST_TENANTS = 64  # whose stores, with the jobs that they know, are kept at hand


@dataclass(frozen=True)
class Store:
    """The one way to the database, for the API and for the workers; `of` is how a tenant sees it."""

    database: Database
    jobs: JobStore
    shards: ShardStore
    leases: LeaseStore
    images: ImageStore
    map_sums: MapSumStore
    inspections: InspectionStore
    maps: MapStore
    map_requests: MapRequestStore
    keys: KeyStore
    owners: OwnerStore
    retention: Retention
    policies: PolicyStore
    known: KnownStore
    webhooks: WebhookStore
    outbox: Outbox
    registry: RegistryStore
    looks: LookStore
    _of: "dict[str, Store]" = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, url: str, deaths: int = LIMITS[DEATHS], timeouts: Timeouts = DEFAULT) -> "Store":
        """Connect lazily to the database at a SQLAlchemy URL; a shard may kill so many workers, less one."""
        return cls._on(Database(url, timeouts), {**LIMITS, DEATHS: deaths})

    def of(self, tenant: str) -> "Store":
        """What one tenant sees of it, and all that it can change."""
        found = self._of.get(tenant)
        if found is None:
            if len(self._of) >= MOST_TENANTS:
                self._of.clear()
            found = self._of[tenant] = self._on(self.database.of(tenant), self.leases.limits)
        return found

    @contextmanager
    def transaction(self) -> "Iterator[Store]":
        """The store inside one transaction: all that it reads and writes holds together, or nothing is written."""
        with self.database.joined() as joined:
            yield self._on(joined, self.leases.limits)

    @classmethod
    def _on(cls, database: Database, limits: Mapping[str, int]) -> "Store":
        return cls(
            database, JobStore(database), ShardStore(database), LeaseStore(database, limits=limits),
            ImageStore(database), MapSumStore(database), InspectionStore(database), MapStore(database),
            MapRequestStore(database), KeyStore(database), OwnerStore(database), Retention(database),
            PolicyStore(database), KnownStore(database), WebhookStore(database), Outbox(database),
            RegistryStore(database), LookStore(database),
        )  # fmt: skip
