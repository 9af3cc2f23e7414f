"""Which tenants have an artifact: those that uploaded it, though its bytes are kept once for all."""

import time

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from service.access_tables import ArtifactOwnerRow
from service.storage.database import Database


class OwnerStore:
    """What is kept of who uploaded what. The default tenant also has what came before there were tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tenant = database.own

    def add(self, digest: str) -> bool:
        """Note that the tenant has an artifact. False: it had it before."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        row = {"sha256": digest, "tenant": self._tenant, "uploaded_at": time.time()}
        adding = dialect.insert(ArtifactOwnerRow).values(row).on_conflict_do_nothing()
        with self._database.write() as session:
            return session.scalar(adding.returning(ArtifactOwnerRow.sha256)) is not None

    def has(self, digest: str) -> bool:
        """Whether the tenant has an artifact."""
        rows = ArtifactOwnerRow.__table__.c  # past the wall: is it another's?
        with self._database.read() as session:
            owners = set(session.scalars(select(rows.tenant).where(rows.sha256 == digest)))
        return self._tenant in owners or (not owners and not self._tenant)
