"""Which tenants have an artifact: those that uploaded it, though its bytes are kept once for all."""

from collections.abc import Callable, Collection

from sqlalchemy import Text, cast, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.tables.auth import ArtifactOwnerRow
from service.storage.tables.jobs import JobRow, PolicyRow

BATCH_SIZE = 100  # artifacts that are looked at in one round


class ArtifactOwnerStore:
    """What is kept of who uploaded what. The default tenant also has what came before there were tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tenant = database.own_tenant

    def add(self, digest: str) -> bool:
        """Note that the tenant has an artifact. False: it had it before.

        When this returns, nobody is about to delete the artifact's bytes: `expire` has either deleted them or will
        see that they are owned.
        """
        dialect = sqlite if self._database.is_sqlite else postgresql
        row = {"sha256": digest, "tenant": self._tenant, "uploaded_at": NOW}
        noting = dialect.insert(ArtifactOwnerRow).values(row).on_conflict_do_nothing()
        adding = noting.returning(ArtifactOwnerRow.sha256)
        with self._database.write() as session:
            _owners(session, digest)
            return not _renew(session, digest, self._tenant) and session.scalar(adding) is not None

    def has(self, digest: str) -> bool:
        """Whether the tenant has an artifact."""
        rows = ArtifactOwnerRow.__table__.c  # past the wall: is it another's?
        with self._database.read() as session:
            owners = set(session.scalars(select(rows.tenant).where(rows.sha256 == digest)))
        return self._tenant in owners or (not owners and not self._tenant)

    def lacking(self, digests: Collection[str]) -> set[str]:
        """Those of some artifacts that the tenant does not have. The others are kept as if they were uploaded now.

        Inside a transaction, nobody takes them from the tenant until it ends.
        """
        with self._database.write() as session:  # in order, so that no two transactions wait for each other
            return {digest for digest in sorted(digests) if not self._renew(session, digest)}

    def _renew(self, session: Session, digest: str) -> bool:
        return _renew(session, digest, self._tenant) or (not self._tenant and not _owners(session, digest))

    def expire(self, seconds: float, remove: Callable[[str], None]) -> int:
        """Take from its owners what came so long ago and is named by no job or policy; `remove` what is nobody's.

        What is named is looked at again after as long. Returns how many artifacts went.
        """
        rows, due = ArtifactOwnerRow, ArtifactOwnerRow.uploaded_at <= NOW - seconds
        with self._database.read() as session:
            found = session.execute(select(rows.sha256, rows.tenant).where(due).limit(BATCH_SIZE)).all()
        return sum(self._expire(digest, tenant, seconds, remove) for digest, tenant in found)

    def _expire(self, digest: str, tenant: str, seconds: float, remove: Callable[[str], None]) -> bool:
        """Take an artifact from one owner. The bytes go before the row does, so that they are never another's."""
        mine = (ArtifactOwnerRow.sha256 == digest, ArtifactOwnerRow.tenant == tenant)
        due = select(ArtifactOwnerRow.sha256).where(*mine, ArtifactOwnerRow.uploaded_at <= NOW - seconds)
        with self._database.write() as session:
            _owners(session, digest)
            if session.scalar(due) is None:
                return False
            if _is_named(session, digest, tenant):
                _renew(session, digest, tenant)
                return False
            session.execute(delete(ArtifactOwnerRow).where(*mine))
            last = not _owners(session, digest)
            if last:
                remove(digest)
            return last


def _is_named(session: Session, digest: str, tenant: str) -> bool:
    """Whether a kept job or a policy of a tenant names an artifact."""
    specs = select(JobRow.number).where(
        JobRow.tenant == tenant, ~JobRow.forgotten, cast(JobRow.spec, Text).contains(digest)
    )
    policies = select(PolicyRow.number).where(
        PolicyRow.tenant == tenant, ~PolicyRow.withdrawn, cast(PolicyRow.document, Text).contains(digest)
    )
    return any(session.scalar(naming.limit(1)) is not None for naming in (specs, policies))


def _renew(session: Session, digest: str, tenant: str) -> bool:
    mine = (ArtifactOwnerRow.sha256 == digest, ArtifactOwnerRow.tenant == tenant)
    renewed = session.execute(update(ArtifactOwnerRow).where(*mine).values(uploaded_at=NOW))
    return bool(renewed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _owners(session: Session, digest: str) -> set[str]:
    """Whose an artifact is, past the wall between tenants; nobody is taken from them until the transaction ends."""
    rows = ArtifactOwnerRow.__table__.c
    owners = select(rows.tenant).where(rows.sha256 == digest).order_by(rows.tenant)  # all wait in one order
    return set(session.scalars(owners.with_for_update()))
