"""All SQL, spoken in verbs. `Store` bundles what jobs, shards, values and results need of one database."""

from dataclasses import dataclass

from service.storage.database import Database
from service.storage.images import ImageStore
from service.storage.inspections import InspectionStore
from service.storage.jobs import Found, JobStore, Query
from service.storage.shards import ShardStore

__all__ = ["Database", "Found", "ImageStore", "InspectionStore", "JobStore", "Query", "ShardStore", "Store"]


@dataclass(frozen=True)
class Store:
    """The one way to the database, for the API and for the workers."""

    database: Database
    jobs: JobStore
    shards: ShardStore
    images: ImageStore
    inspections: InspectionStore

    @classmethod
    def open(cls, url: str) -> "Store":
        """Connect lazily to the database at a SQLAlchemy URL."""
        database = Database(url)
        return cls(database, JobStore(database), ShardStore(database), ImageStore(database), InspectionStore(database))
