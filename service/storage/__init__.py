"""All SQL, spoken in verbs. `Store` bundles what jobs, shards, values and results need of one database."""

from dataclasses import dataclass

from service.storage.database import Database
from service.storage.images import ImageStore
from service.storage.inspections import InspectionStore
from service.storage.jobs import Found, JobStore, Query
from service.storage.leases import DEATHS, LIMITS, LeaseStore
from service.storage.map_sums import MapSumStore
from service.storage.retention import Retention
from service.storage.shards import ShardStore

__all__ = [
    "Database", "Found", "ImageStore", "InspectionStore", "JobStore", "LeaseStore", "MapSumStore", "Query", "Retention",
    "ShardStore", "Store",
]  # fmt: skip


@dataclass(frozen=True)
class Store:
    """The one way to the database, for the API and for the workers."""

    database: Database
    jobs: JobStore
    shards: ShardStore
    leases: LeaseStore
    images: ImageStore
    map_sums: MapSumStore
    inspections: InspectionStore
    retention: Retention

    @classmethod
    def open(cls, url: str, deaths: int = LIMITS[DEATHS]) -> "Store":
        """Connect lazily to the database at a SQLAlchemy URL; a shard may kill so many workers, less one."""
        database = Database(url)
        leases = LeaseStore(database, limits={**LIMITS, DEATHS: deaths})
        return cls(
            database, JobStore(database), ShardStore(database), leases, ImageStore(database), MapSumStore(database),
            InspectionStore(database), Retention(database),
        )  # fmt: skip
