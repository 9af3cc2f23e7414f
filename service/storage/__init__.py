"""All SQL of the service. `Store` bundles the stores of one database: jobs, shards, leases, webhooks and so on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from service.settings.database import DEFAULT, Timeouts
from service.storage.api_keys import ApiKeyStore
from service.storage.artifact_owners import ArtifactOwnerStore
from service.storage.cached_values import CachedValueStore
from service.storage.database import Database
from service.storage.images import ImageStore
from service.storage.inspections import InspectionStore
from service.storage.interim import InterimStore
from service.storage.jobs import JobPage, JobQuery, JobStore
from service.storage.leases import DEATHS, LIMITS, LeaseStore
from service.storage.map_requests import MapRequestStore
from service.storage.maps import MapStore, MapSumStore
from service.storage.outbox import Outbox
from service.storage.policies import PolicyStore
from service.storage.registry import RegistryStore
from service.storage.retention import Retention
from service.storage.shards import ShardStore
from service.storage.webhooks import WebhookStore

__all__ = [
    "ApiKeyStore",
    "ArtifactOwnerStore",
    "CachedValueStore",
    "Database",
    "ImageStore",
    "InspectionStore",
    "InterimStore",
    "JobPage",
    "JobQuery",
    "JobStore",
    "LeaseStore",
    "MapRequestStore",
    "MapStore",
    "MapSumStore",
    "Outbox",
    "PolicyStore",
    "RegistryStore",
    "Retention",
    "ShardStore",
    "Store",
    "WebhookStore",
]  # fmt: skip

MAX_CACHED_TENANTS = 64  # largest number of tenants whose stores, with their cached jobs, stay in memory


@dataclass(frozen=True)
class Store:
    """All stores of one database, for the API and the workers; `for_tenant` limits them to one tenant."""

    database: Database
    jobs: JobStore
    shards: ShardStore
    leases: LeaseStore
    images: ImageStore
    map_sums: MapSumStore
    inspections: InspectionStore
    maps: MapStore
    map_requests: MapRequestStore
    keys: ApiKeyStore
    artifact_owners: ArtifactOwnerStore
    retention: Retention
    policies: PolicyStore
    cached_values: CachedValueStore
    webhooks: WebhookStore
    outbox: Outbox
    registry: RegistryStore
    interim: InterimStore
    _by_tenant: "dict[str, Store]" = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, url: str, max_deaths: int = LIMITS[DEATHS], timeouts: Timeouts = DEFAULT) -> "Store":
        """Return the store of the database at a SQLAlchemy URL, which connects at first use.

        A job fails once one of its shards has killed `max_deaths` workers.
        """
        return cls._on(Database(url, timeouts), {**LIMITS, DEATHS: max_deaths})

    def for_tenant(self, tenant: str) -> "Store":
        """Return a store that reads and changes the rows of one tenant only."""
        found = self._by_tenant.get(tenant)
        if found is None:
            if len(self._by_tenant) >= MAX_CACHED_TENANTS:
                self._by_tenant.clear()
            found = self._by_tenant[tenant] = self._on(self.database.for_tenant(tenant), self.leases.limits)
        return found

    @contextmanager
    def transaction(self) -> "Iterator[Store]":
        """Yield the store inside one transaction, which commits at the end or writes nothing."""
        with self.database.joined() as joined:
            yield self._on(joined, self.leases.limits)

    @classmethod
    def _on(cls, database: Database, limits: Mapping[str, int]) -> "Store":
        return cls(
            database, JobStore(database), ShardStore(database), LeaseStore(database, limits=limits),
            ImageStore(database), MapSumStore(database), InspectionStore(database), MapStore(database),
            MapRequestStore(database), ApiKeyStore(database), ArtifactOwnerStore(database), Retention(database),
            PolicyStore(database), CachedValueStore(database), WebhookStore(database), Outbox(database),
            RegistryStore(database), InterimStore(database),
        )  # fmt: skip
