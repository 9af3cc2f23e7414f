"""Model versions on their way from being noticed to having a verdict in the registry.

Every step is kept before the next is done, so that whatever dies, another process goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.domain.job import OPEN_STATES
from service.errors import DeliveryRepeated
from service.net.backoff import exponential_delay
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.tables.jobs import JobRow
from service.storage.tables.registry import HookRow, RoundRow, VersionRow

FIRST_PAUSE, MAX_PAUSE = 2.0, 600.0


class VersionState(StrEnum):
    """`noticed -> audited`, and forgotten once told; audited once it has a job, or a refusal instead of one."""

    NOTICED = "noticed"
    AUDITED = "audited"


@dataclass(frozen=True)
class RegistryVersion:
    """A registered model's version, by name and number, and how far it is; `lease` is its holder's."""

    name: str
    version: str
    state: VersionState
    job: str | None
    policy: tuple[str, int] | None
    refusal: str | None
    lease: str


class RegistryStore:
    """What is kept of the registry's versions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_delivery(self, delivery: str, window: float, noticed: tuple[str, str] | None) -> None:
        """Note a delivery, and the version that it is about where it is about one. Raises DeliveryRepeated."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        with self._database.write() as session:
            session.execute(delete(HookRow).where(HookRow.received_at <= NOW - 2 * window))
            added = dialect.insert(HookRow).values(id=delivery, received_at=NOW).on_conflict_do_nothing()
            if session.scalar(added.returning(HookRow.id)) is None:
                raise DeliveryRepeated(delivery=delivery)
            if noticed:
                self._notice(session, *noticed)

    def notice(self, name: str, version: str) -> bool:
        """Have a version audited, unless it is under way. True: it was not."""
        with self._database.write() as session:
            if session.get(VersionRow, (name, version)) is not None:
                return False
            self._notice(session, name, version)
            return True

    def _notice(self, session: Session, name: str, version: str) -> None:
        """Begin with a version; one that is under way begins again, without the lease of whoever has it."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        fresh = {
            "state": VersionState.NOTICED, "job": None, "policy": None, "policy_version": None, "refusal": None,
            "attempts": 0, "trouble": None, "next_at": NOW, "lease_until": None, "lease": None,
        }  # fmt: skip
        row = dialect.insert(VersionRow).values(name=name, version=version, **fresh)
        session.execute(row.on_conflict_do_update(index_elements=["name", "version"], set_=fresh))

    def claim(self, lease_seconds: float) -> RegistryVersion | None:
        """Take a version for which something is to be done: one noticed, or one whose job has ended or is gone."""
        running = select(JobRow.id).where(JobRow.state.in_(OPEN_STATES), JobRow.id == VersionRow.job)
        ready = (VersionRow.state == VersionState.NOTICED) | (
            (VersionRow.state == VersionState.AUDITED) & ~running.exists()
        )
        free = or_(VersionRow.lease_until.is_(None), VersionRow.lease_until <= NOW)
        chosen = select(VersionRow).where(ready, VersionRow.next_at <= NOW, free)
        with self._database.read() as session:  # most often there is none, and nobody need be kept from writing
            if session.scalar(chosen.with_only_columns(VersionRow.name).limit(1)) is None:
                return None
        with self._database.write() as session:
            first = chosen.order_by(VersionRow.next_at).limit(1).with_for_update(skip_locked=True)
            row = session.scalars(first).one_or_none()
            if row is None:
                return None
            row.lease_until, row.lease = NOW + lease_seconds, str(uuid4())
            return _to_version(row)

    def mark_audited(
        self, version: RegistryVersion, policy: tuple[str, int], job: str | None, refusal: str | None
    ) -> None:
        """Note the job that audits a version by a policy, or why there can be none."""

        def change(row: VersionRow) -> None:
            row.state, row.job, row.refusal = VersionState.AUDITED, job, refusal
            row.policy, row.policy_version = policy
            row.attempts, row.next_at = 0, NOW

        self._change(version, change)

    def restart(self, version: RegistryVersion) -> None:
        """Begin with a version from the start: its job was deleted."""

        def change(row: VersionRow) -> None:
            row.state, row.job, row.next_at = VersionState.NOTICED, None, NOW

        self._change(version, change)

    def postpone(self, version: RegistryVersion, reason: str) -> None:
        """Try again after a pause, longer each time."""

        def change(row: VersionRow) -> None:
            row.attempts, row.trouble = row.attempts + 1, reason
            row.next_at = NOW + exponential_delay(row.attempts, FIRST_PAUSE, MAX_PAUSE)

        self._change(version, change)

    def delete(self, version: RegistryVersion) -> None:
        """Keep nothing of a version: it was told its verdict, or there is none to tell."""
        mine = (VersionRow.name == version.name, VersionRow.version == version.version)
        with self._database.write() as session:
            session.execute(delete(VersionRow).where(*mine, VersionRow.lease == version.lease))

    def is_due(self, name: str, seconds: float) -> bool:
        """Whether a round is due, which then is the caller's, and due again after so many seconds."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        with self._database.read() as session:
            now = moment(session)
            due = session.scalar(select(RoundRow.due_at).where(RoundRow.name == name))
        if due is not None and now < due <= now + seconds:  # a time beyond was set with another interval
            return False
        with self._database.write() as session:
            session.execute(dialect.insert(RoundRow).values(name=name, due_at=0.0).on_conflict_do_nothing())
            moving = update(RoundRow).where(RoundRow.name == name, RoundRow.due_at == (due or 0.0))
            moved = session.execute(moving.values(due_at=now + seconds))
            return bool(moved.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult

    def _change(self, version: RegistryVersion, change: Callable[[VersionRow], None]) -> None:
        """Change a version's row and give up its lease; nothing, where it has begun anew meanwhile."""
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
