"""Stores the progress of each registered model version, from its detection to its verdict in the registry.

Each step is stored before the next begins, so another process can continue after a crash.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.domain.job import OPEN_STATES
from service.errors import DeliveryRepeated
from service.net.backoff import exponential_delay
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.lease_queue import claim_one
from service.storage.tables.jobs import JobRow
from service.storage.tables.registry import HookRow, RoundRow, VersionRow

INITIAL_DELAY, MAX_DELAY = 2.0, 600.0


class VersionState(StrEnum):
    """`noticed -> audited`. A version is audited once it has a job or a refusal.

    Its row is deleted once its verdict is in the registry.
    """

    NOTICED = "noticed"
    AUDITED = "audited"


@dataclass(frozen=True)
class RegistryVersion:
    """A version of a registered model and the state of its audit. `lease` identifies the process that claimed it."""

    name: str
    version: str
    state: VersionState
    job: str | None
    policy: tuple[str, int] | None
    refusal: str | None
    lease: str


class RegistryStore:
    """Stores model versions that wait for a verdict, and received webhook deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_delivery(self, delivery: str, window: float, noticed: tuple[str, str] | None) -> None:
        """Store a webhook delivery and the version that it reports, if any. Raises DeliveryRepeated."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        with self._database.write() as session:
            session.execute(delete(HookRow).where(HookRow.received_at <= NOW - 2 * window))
            added = dialect.insert(HookRow).values(id=delivery, received_at=NOW).on_conflict_do_nothing()
            if session.scalar(added.returning(HookRow.id)) is None:
                raise DeliveryRepeated(delivery=delivery)
            if noticed:
                self._notice(session, *noticed)

    def notice(self, name: str, version: str) -> bool:
        """Enqueue a version for an audit. Returns False if it is in the queue already."""
        with self._database.write() as session:
            if session.get(VersionRow, (name, version)) is not None:
                return False
            self._notice(session, name, version)
            return True

    def _notice(self, session: Session, name: str, version: str) -> None:
        """Enqueue a version. A version in the queue starts again, and the process that leases it loses the lease."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        fresh = {
            "state": VersionState.NOTICED, "job": None, "policy": None, "policy_version": None, "refusal": None,
            "attempts": 0, "trouble": None, "next_at": NOW, "lease_until": None, "lease": None,
        }  # fmt: skip
        row = dialect.insert(VersionRow).values(name=name, version=version, **fresh)
        session.execute(row.on_conflict_do_update(index_elements=["name", "version"], set_=fresh))

    def claim(self, lease_seconds: float) -> RegistryVersion | None:
        """Lease a version that is new, or whose job has ended or was deleted; None if there is none."""
        running = select(JobRow.id).where(JobRow.state.in_(OPEN_STATES), JobRow.id == VersionRow.job)
        has_ended = (VersionRow.state == VersionState.AUDITED) & ~running.exists()
        needs_work = (VersionRow.state == VersionState.NOTICED) | has_ended
        ready = select(VersionRow).where(needs_work, VersionRow.next_at <= NOW).order_by(VersionRow.next_at)

        def to_claim(_: Session, row: VersionRow) -> RegistryVersion:
            row.lease = str(uuid4())
            return _to_version(row)

        return claim_one(self._database, VersionRow, ready, lease_seconds, to_claim)

    def mark_audited(
        self, version: RegistryVersion, policy: tuple[str, int], job: str | None, refusal: str | None
    ) -> None:
        """Store the job that audits a version under a policy, or the refusal if no job is possible."""

        def change(row: VersionRow) -> None:
            row.state, row.job, row.refusal = VersionState.AUDITED, job, refusal
            row.policy, row.policy_version = policy
            row.attempts, row.next_at = 0, NOW

        self._change(version, change)

    def restart(self, version: RegistryVersion) -> None:
        """Restart a version whose job was deleted."""

        def change(row: VersionRow) -> None:
            row.state, row.job, row.next_at = VersionState.NOTICED, None, NOW

        self._change(version, change)

    def postpone(self, version: RegistryVersion, reason: str) -> None:
        """Retry a version after a delay that grows with each failure."""

        def change(row: VersionRow) -> None:
            row.attempts, row.trouble = row.attempts + 1, reason
            row.next_at = NOW + exponential_delay(row.attempts, INITIAL_DELAY, MAX_DELAY)

        self._change(version, change)

    def delete(self, version: RegistryVersion) -> None:
        """Delete a version that has its verdict, or that needs none."""
        same = (VersionRow.name == version.name, VersionRow.version == version.version)
        with self._database.write() as session:
            session.execute(delete(VersionRow).where(*same, VersionRow.lease == version.lease))

    def is_due(self, name: str, seconds: float) -> bool:
        """Return whether a periodic task is due. If so, the caller runs it, and it is due again after `seconds`."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        with self._database.read() as session:
            now = moment(session)
            due = session.scalar(select(RoundRow.due_at).where(RoundRow.name == name))
        if due is not None and now < due <= now + seconds:  # a later time was set with a longer interval
            return False
        with self._database.write() as session:
            session.execute(dialect.insert(RoundRow).values(name=name, due_at=0.0).on_conflict_do_nothing())
            postponed = update(RoundRow).where(RoundRow.name == name, RoundRow.due_at == (due or 0.0))
            result = session.execute(postponed.values(due_at=now + seconds))
            return bool(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult

    def _change(self, version: RegistryVersion, change: Callable[[VersionRow], None]) -> None:
        """Change a version's row and give up its lease; do nothing if the lease is lost."""
        with self._database.write() as session:
            row = session.get(VersionRow, (version.name, version.version), with_for_update=True)
            if row is not None and row.lease == version.lease:
                change(row)
                row.lease_until = row.lease = None


def _to_version(row: VersionRow) -> RegistryVersion:
    policy = (row.policy, row.policy_version) if row.policy and row.policy_version else None
    return RegistryVersion(
        row.name, row.version, VersionState(row.state), row.job, policy, row.refusal, row.lease or ""
    )
