"""Policies in the database. A version never changes: each `put` adds a version, and deletion withdraws all versions."""

import time
from collections.abc import Collection, Sequence

from sqlalchemy import Select, Update, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.domain.job import OPEN_STATES, Job
from service.domain.policy import Policy, StoredPolicy
from service.errors import PolicyNotFound
from service.storage.database import Database
from service.storage.jobs import to_job
from service.storage.tables.jobs import JobRow, PolicyRow

MAX_ATTEMPTS = 5
MAX_JOBS = (
    2_000  # a search covers only this many of the newest jobs, so that a search for a rarely used policy stays fast
)


class PolicyStore:
    """Stores versions of policies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tenant = database.own_tenant

    def put(self, name: str, policy: Policy) -> StoredPolicy:
        """Store a policy as the next version of its name, unless it equals the newest version."""
        for _ in range(MAX_ATTEMPTS):
            try:
                return self._put(name, policy)
            except IntegrityError:  # another request has stored the next version
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
        """Return the newest version, or a given version even if it is withdrawn. Raises PolicyNotFound."""
        chosen = _versions(name, self._tenant)
        chosen = chosen.where(PolicyRow.version == version if version else ~PolicyRow.withdrawn)
        with self._database.read() as session:
            row = session.scalars(chosen.limit(1)).one_or_none()
            if row is None:
                raise PolicyNotFound(policy=f"{name} version {version}" if version else name)
            return _to_policy(row)

    def versions(self, name: str) -> Sequence[StoredPolicy]:
        """Return all versions that are not withdrawn, newest first. Raises PolicyNotFound if there is none."""
        with self._database.read() as session:
            rows = session.scalars(_versions(name, self._tenant).where(~PolicyRow.withdrawn)).all()
        if not rows:
            raise PolicyNotFound(policy=name)
        return [_to_policy(row) for row in rows]

    def newest(self) -> Sequence[StoredPolicy]:
        """Return the newest version of each policy, ordered by name."""
        last = select(func.max(PolicyRow.number)).where(PolicyRow.tenant == self._tenant, ~PolicyRow.withdrawn)
        chosen = select(PolicyRow).where(PolicyRow.number.in_(last.group_by(PolicyRow.name))).order_by(PolicyRow.name)
        with self._database.read() as session:
            return [_to_policy(row) for row in session.scalars(chosen)]

    def withdraw(self, name: str) -> None:
        """Withdraw all versions of a policy, so that new jobs cannot use it. Raises PolicyNotFound."""
        named = (PolicyRow.tenant == self._tenant, PolicyRow.name == name, ~PolicyRow.withdrawn)
        with self._database.write() as session:
            if not _count(session, update(PolicyRow).where(*named).values(withdrawn=True)):
                raise PolicyNotFound(policy=name)


def last_job_by_policy(database: Database, policies: Collection[str]) -> dict[str, Job]:
    """Return for each policy the newest job that has ended under it, if it is among the newest MAX_JOBS jobs."""
    policy = JobRow.spec["gate"]["policy"].as_string()
    newest = select(func.max(JobRow.number) - MAX_JOBS).scalar_subquery()
    ended = (
        JobRow.forgotten.is_not(True),
        JobRow.state.not_in(OPEN_STATES),
        JobRow.number > newest,
        policy.in_(policies),
    )
    last = select(func.max(JobRow.number)).where(*ended).group_by(policy)
    with database.read() as session:
        jobs = [to_job(row) for row in session.scalars(select(JobRow).where(JobRow.number.in_(last)))]
    return {job.spec.gate.policy: job for job in jobs if job.spec.gate and job.spec.gate.policy}


def _versions(name: str, tenant: str) -> Select[PolicyRow]:
    named = (PolicyRow.tenant == tenant, PolicyRow.name == name)
    return select(PolicyRow).where(*named).order_by(PolicyRow.version.desc())


def _count(session: Session, changing: Update) -> int:
    return int(session.execute(changing).rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _to_policy(row: PolicyRow) -> StoredPolicy:
    return StoredPolicy(row.name, row.version, Policy.model_validate(row.document), row.created_at)
