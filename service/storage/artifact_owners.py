"""Stores which tenants own an artifact. Every tenant that uploads it owns it; its content is stored only once."""

from collections.abc import Callable, Collection

from sqlalchemy import Text, cast, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.tables.auth import ArtifactOwnerRow
from service.storage.tables.jobs import JobRow, PolicyRow

BATCH_SIZE = 100  # artifacts that one call of `expire` checks


class ArtifactOwnerStore:
    """Stores the owners of artifacts. The default tenant also owns artifacts that have no stored owner."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tenant = database.own_tenant

    def add(self, digest: str) -> bool:
        """Store that the tenant owns an artifact. Returns False if the tenant owned the artifact before.

        After this call, `expire` does not delete the content of the artifact, because it sees the new owner.
        """
        dialect = sqlite if self._database.is_sqlite else postgresql
        row = {"sha256": digest, "tenant": self._tenant, "uploaded_at": NOW}
        inserted = dialect.insert(ArtifactOwnerRow).values(row).on_conflict_do_nothing()
        with self._database.write() as session:
            _lock_owners(session, digest)
            return (
                not _renew(session, digest, self._tenant)
                and session.scalar(inserted.returning(ArtifactOwnerRow.sha256)) is not None
            )

    def has(self, digest: str) -> bool:
        """Whether the tenant owns an artifact."""
        rows = ArtifactOwnerRow.__table__.c  # the table, unlike the class, is not limited to the tenant
        with self._database.read() as session:
            owners = set(session.scalars(select(rows.tenant).where(rows.sha256 == digest)))
        return self._tenant in owners or (not owners and not self._tenant)

    def lacking(self, digests: Collection[str]) -> set[str]:
        """Return those artifacts that the tenant does not own; renew the others as if they were uploaded now.

        Inside a transaction, the tenant cannot lose the renewed artifacts until the transaction ends.
        """
        with self._database.write() as session:  # sorted, to prevent deadlocks
            return {digest for digest in sorted(digests) if not self._renew(session, digest)}

    def _renew(self, session: Session, digest: str) -> bool:
        return _renew(session, digest, self._tenant) or (not self._tenant and not _lock_owners(session, digest))

    def expire(self, seconds: float, remove: Callable[[str], None]) -> int:
        """Delete owners of artifacts that are older than `seconds` and that no job or policy of the owner names.

        Calls `remove` for each artifact that has lost its last owner. Artifacts that are named are renewed. Returns the
        number of removed artifacts.
        """
        rows, due = ArtifactOwnerRow, ArtifactOwnerRow.uploaded_at <= NOW - seconds
        with self._database.read() as session:
            found = session.execute(select(rows.sha256, rows.tenant).where(due).limit(BATCH_SIZE)).all()
        return sum(self._expire(digest, tenant, seconds, remove) for digest, tenant in found)

    def _expire(self, digest: str, tenant: str, seconds: float, remove: Callable[[str], None]) -> bool:
        """Delete one owner of an artifact. The content is removed before the commit, so no new owner can see it."""
        owned = (ArtifactOwnerRow.sha256 == digest, ArtifactOwnerRow.tenant == tenant)
        due = select(ArtifactOwnerRow.sha256).where(*owned, ArtifactOwnerRow.uploaded_at <= NOW - seconds)
        with self._database.write() as session:
            _lock_owners(session, digest)
            if session.scalar(due) is None:
                return False
            if _is_named(session, digest, tenant):
                _renew(session, digest, tenant)
                return False
            session.execute(delete(ArtifactOwnerRow).where(*owned))
            if _lock_owners(session, digest):
                return False
            remove(digest)
            return True


def _is_named(session: Session, digest: str, tenant: str) -> bool:
    """Whether a job or a policy of a tenant names an artifact."""
    specs = select(JobRow.number).where(
        JobRow.tenant == tenant, ~JobRow.forgotten, cast(JobRow.spec, Text).contains(digest)
    )
    policies = select(PolicyRow.number).where(
        PolicyRow.tenant == tenant, ~PolicyRow.withdrawn, cast(PolicyRow.document, Text).contains(digest)
    )
    return any(session.scalar(query.limit(1)) is not None for query in (specs, policies))


def _renew(session: Session, digest: str, tenant: str) -> bool:
    """Set the time of upload to now. Returns False if the tenant does not own the artifact."""
    owned = (ArtifactOwnerRow.sha256 == digest, ArtifactOwnerRow.tenant == tenant)
    renewed = session.execute(update(ArtifactOwnerRow).where(*owned).values(uploaded_at=NOW))
    return bool(renewed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _lock_owners(session: Session, digest: str) -> set[str]:
    """Return the tenants that own an artifact, and lock their rows until the transaction ends."""
    rows = ArtifactOwnerRow.__table__.c
    owners = select(rows.tenant).where(rows.sha256 == digest).order_by(rows.tenant)  # a fixed order prevents deadlocks
    return set(session.scalars(owners.with_for_update()))
