"""Jobs in the database: accept, find, cancel and delete. A deleted job is not found, although its rows may remain."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from threading import Lock
from uuid import uuid4

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.domain.job import OPEN_STATES, PRIORITIES, Job, JobState
from service.domain.work import ShardKind
from service.errors import JobNotFound, TooManyJobs
from service.spec.model import JobSpec
from service.spec.resolution import resolved, to_stored
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.fair_queue import single_shard
from service.storage.shard_rows import end_job
from service.storage.tables.jobs import JobRow, LabelRow, SummaryRow
from service.telemetry.tracing import traceparent

VERSION = "SELECT version FROM jobs WHERE id = :job AND NOT forgotten"
MAX_VERSIONS = 500


@dataclass(frozen=True)
class JobQuery:
    """Which jobs to list: filters, the page size, and the number of the last job of the previous page."""

    state: JobState | None = None
    name: str | None = None
    labels: Sequence[tuple[str, str]] = ()
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True)
class JobPage:
    """A page of jobs, newest first; `next` is the cursor of the next page, None on the last page."""

    jobs: Sequence[Job] = field(default_factory=tuple)
    next: int | None = None


class JobStore:
    """Stores jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = text(VERSION if database.tenant is None else f"{VERSION} AND tenant = :tenant")
        self._cached: dict[str, Job] = {}
        self._lock = Lock()

    def accept(self, spec: JobSpec, digest: str, key: str | None, max_open: int | None = None) -> tuple[Job, str]:
        """Store a job and its planning shard. Returns the job and the digest of its spec.

        If the idempotency key is known, returns the job that has it instead. Raises TooManyJobs if the tenant already
        has `max_open` queued and running jobs.
        """
        key = self._stored_key(key)
        with self._database.write() as session:
            self._lock_admission(session)
            row = _find_by_key(session, key)
            while row is None:
                # The check comes before each insertion, whatever job had the key: that job may be deleted meanwhile.
                self._check_room(session, max_open)
                number = self._insert(session, spec, digest, key)
                row = _find_by_key(session, key) if number is None else session.get_one(JobRow, number)
            return to_job(row), row.spec_digest

    def find_by_key(self, key: str) -> tuple[Job, str] | None:
        """Return the job with this idempotency key and the digest of its spec; None if there is none."""
        with self._database.read() as session:
            row = _find_by_key(session, self._stored_key(key))
            return (to_job(row), row.spec_digest) if row else None

    def _stored_key(self, key: str | None) -> str | None:
        """Return an idempotency key as it is stored, which differs between tenants.

        A key of the default tenant is stored as it was sent, as in the previous release. The key of another tenant
        starts with a control character, which no sent key contains, so the two cannot be equal.
        """
        tenant = self._database.own_tenant
        return "\x1f" + hashlib.sha256(f"{tenant}\x1f{key}".encode()).hexdigest() if key and tenant else key

    def _lock_admission(self, session: Session) -> None:
        """Make simultaneous requests of the tenant look up their keys and count the open jobs one by one."""
        if not self._database.is_sqlite:  # writers to SQLite run one by one anyway
            tenant = self._database.own_tenant
            session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"jobs of {tenant}"))))

    def _check_room(self, session: Session, maximum: int | None) -> None:
        """Raise TooManyJobs if the tenant already has `maximum` open jobs; None means no limit."""
        tenant = self._database.own_tenant
        counted = select(func.count()).where(JobRow.tenant == tenant, JobRow.state.in_(OPEN_STATES))
        if maximum is not None and (session.scalar(counted) or 0) >= maximum:
            raise TooManyJobs(most=maximum)

    def _insert(self, session: Session, spec: JobSpec, digest: str, key: str | None) -> int | None:
        """Insert a job with its labels and planning shard, and return its number; None if its key is taken."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        number: int | None = session.scalar(
            dialect.insert(JobRow)
            .values(
                id=str(uuid4()),
                name=spec.name,
                spec=to_stored(spec),
                state=JobState.QUEUED,
                version=1,
                created_at=NOW,
                deadline_at=NOW + spec.deadline if spec.deadline else None,
                priority=PRIORITIES[spec.priority],
                tenant=self._database.own_tenant,
                passes_done=0,
                idempotency_key=key,
                spec_digest=digest,
                trace=traceparent(),
            )
            .on_conflict_do_nothing(index_elements=["idempotency_key"])
            .returning(JobRow.number)
        )
        if number is not None:
            session.add_all(LabelRow(job=number, key=name, value=text) for name, text in spec.labels.items())
            session.add(single_shard(session, number, ShardKind.PLAN))
        return number

    def get(self, job: str) -> Job:
        """Return a job. Raises JobNotFound.

        Every visible change of a job increments its version, so a cached job of the same version is returned as it is.
        """
        tenant = self._database.tenant
        facts = {"job": job} if tenant is None else {"job": job, "tenant": tenant}
        found = self._database.fetch_one(self._version, facts)
        cached = self._cached.get(job)
        if cached is not None and found is not None and cached.version == found.version:
            return cached
        with self._database.read() as session:
            read = to_job(get_row(session, job))
        with self._lock:
            self._cached[job] = read
            while len(self._cached) > MAX_VERSIONS:
                self._cached.pop(next(iter(self._cached)))
        return read

    def find(self, query: JobQuery) -> JobPage:
        """Return a page of jobs, newest first."""
        # `IS NOT TRUE` makes SQLite use the primary key; with `NOT forgotten` it would scan the index on `forgotten`.
        chosen = (
            select(JobRow).where(JobRow.forgotten.is_not(True)).order_by(JobRow.number.desc()).limit(query.limit + 1)
        )
        if query.state:
            chosen = chosen.where(JobRow.state == query.state)
        if query.name is not None:
            chosen = chosen.where(JobRow.name == query.name)
        for key, value in query.labels:
            labelled = select(LabelRow.job).where(LabelRow.key == key, LabelRow.value == value)
            chosen = chosen.where(JobRow.number.in_(labelled))
        if query.before is not None:
            chosen = chosen.where(JobRow.number < query.before)
        with self._database.read() as session:
            rows = session.scalars(chosen).all()
        page = rows[: query.limit]
        return JobPage([to_job(row) for row in page], page[-1].number if len(rows) > query.limit else None)

    def cancel(self, job: str) -> Job:
        """Cancel an open job and delete its waiting shards; an ended job does not change. Raises JobNotFound."""
        with self._database.write() as session:
            row = get_row(session, job)
            if end_job(session, row.number, JobState.CANCELLED, None):
                session.refresh(row)
            return to_job(row)

    def versions(self, jobs: Collection[str]) -> dict[str, int]:
        """Return the current version of each of these jobs that exists."""
        with self._database.read() as session:
            pairs = session.execute(select(JobRow.id, JobRow.version).where(JobRow.id.in_(jobs), ~JobRow.forgotten))
            return {job: version for job, version in pairs}  # noqa: C416  # the type checker does not treat rows as tuples

    def summary(self, job: str) -> str | None:
        """Return the results document; None if the job has no results."""
        with self._database.read() as session:
            chosen = select(SummaryRow.document).join(JobRow, JobRow.number == SummaryRow.job)
            return session.scalar(chosen.where(JobRow.id == job, ~JobRow.forgotten))

    def delete(self, job: str) -> None:
        """Cancel a job, hide it and free its idempotency key; its rows are deleted later. Raises JobNotFound."""
        with self._database.write() as session:
            number = get_row(session, job).number
            end_job(session, number, JobState.CANCELLED, None)
            hidden = update(JobRow).where(JobRow.number == number)
            session.execute(hidden.values(forgotten=True, idempotency_key=None, version=JobRow.version + 1))


def _find_by_key(session: Session, key: str | None) -> JobRow | None:
    return session.scalars(select(JobRow).where(JobRow.idempotency_key == key)).one_or_none() if key else None


def get_row(session: Session, job: str) -> JobRow:
    """Return the row of a job. Raises JobNotFound."""
    row = session.scalars(select(JobRow).where(JobRow.id == job, ~JobRow.forgotten)).one_or_none()
    if row is None:
        raise JobNotFound(job=job)
    return row


def to_job(row: JobRow) -> Job:
    """Convert a row to a job."""
    return Job(
        id=row.id, spec=resolved(JobSpec.model_validate(row.spec), row.plan), state=JobState(row.state),
        version=row.version, created_at=row.created_at, started_at=row.started_at, finished_at=row.finished_at,
        images_total=row.images_total, passes_total=row.passes_total, passes_done=row.passes_done,
        error=row.error, plan=row.plan, tenant=row.tenant, passes_reused=row.passes_reused, verdict=row.verdict,
        trace=row.trace, so_far=row.so_far, stopped_at=row.stopped_at,
    )  # fmt: skip
