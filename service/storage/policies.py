"""Policies in the database. A version is never changed: putting one makes the next, and deleting withdraws them all."""

import time
from collections.abc import Sequence

from sqlalchemy import Select, Update, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.domain.policy import Policy, StoredPolicy
from service.errors import PolicyNotFound
from service.storage.database import Database
from service.storage.tables.jobs import PolicyRow

MAX_TRIES = 5


class PolicyStore:
    """What is kept of policies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tenant = database.own_tenant

    def put(self, name: str, policy: Policy) -> StoredPolicy:
        """Keep a policy as its name's next version; one that is the newest already stays as it is."""
        for _ in range(MAX_TRIES):
            try:
                return self._put(name, policy)
            except IntegrityError:  # somebody else's next version came first
                continue
        return self._put(name, policy)

    def _put(self, name: str, policy: Policy) -> StoredPolicy:
        document = policy.model_dump(mode="json", exclude_unset=True)
        with self._database.write() as session:
            newest = session.scalars(_versions(name, self._tenant).limit(1)).one_or_none()
            if newest is not None and not newest.withdrawn and newest.document == document:
                return _to_policy(newest)
            version = newest.version + 1 if newest is not None else 1
            row = PolicyRow(tenant=self._tenant, name=name, version=version, document=document, created_at=time.time())
            session.add(row)
            session.flush()
            return _to_policy(row)

    def get(self, name: str, version: int | None = None) -> StoredPolicy:
        """The newest version, or that of a number, which may be withdrawn. Raises PolicyNotFound."""
        chosen = _versions(name, self._tenant)
        chosen = chosen.where(PolicyRow.version == version if version else ~PolicyRow.withdrawn)
        with self._database.read() as session:
            row = session.scalars(chosen.limit(1)).one_or_none()
            if row is None:
                raise PolicyNotFound(policy=f"{name} of version {version}" if version else name)
            return _to_policy(row)

    def versions(self, name: str) -> Sequence[StoredPolicy]:
        """All versions that are not withdrawn, newest first. Raises PolicyNotFound where there is none."""
        with self._database.read() as session:
            rows = session.scalars(_versions(name, self._tenant).where(~PolicyRow.withdrawn)).all()
        if not rows:
            raise PolicyNotFound(policy=name)
        return [_to_policy(row) for row in rows]

    def newest(self) -> Sequence[StoredPolicy]:
        """The newest version of each policy, by name."""
        last = select(func.max(PolicyRow.number)).where(PolicyRow.tenant == self._tenant, ~PolicyRow.withdrawn)
        chosen = select(PolicyRow).where(PolicyRow.number.in_(last.group_by(PolicyRow.name))).order_by(PolicyRow.name)
        with self._database.read() as session:
            return [_to_policy(row) for row in session.scalars(chosen)]

    def withdraw(self, name: str) -> None:
        """Let nobody be judged by a policy any more. Raises PolicyNotFound."""
        named = (PolicyRow.tenant == self._tenant, PolicyRow.name == name, ~PolicyRow.withdrawn)
        with self._database.write() as session:
            if not _count(session, update(PolicyRow).where(*named).values(withdrawn=True)):
                raise PolicyNotFound(policy=name)


def _versions(name: str, tenant: str) -> Select[PolicyRow]:
    named = (PolicyRow.tenant == tenant, PolicyRow.name == name)
    return select(PolicyRow).where(*named).order_by(PolicyRow.version.desc())


def _count(session: Session, changing: Update) -> int:
    return int(session.execute(changing).rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _to_policy(row: PolicyRow) -> StoredPolicy:
    return StoredPolicy(row.name, row.version, Policy.model_validate(row.document), row.created_at)
