"""Jobs in the database: accepted, found, cancelled. A forgotten job is not found any more."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from threading import Lock
from uuid import uuid4

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.domain.job import OPEN_STATES, PRIORITIES, Job, JobState, ShardKind
from service.errors import JobNotFound, TooManyJobs
from service.spec.model import JobSpec
from service.spec.resolution import resolved, to_stored
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.ending import end_job
from service.storage.fair_queue import single_shard
from service.storage.tables.jobs import JobRow, LabelRow, SummaryRow
from service.telemetry.tracing import traceparent

VERSION = "SELECT version FROM jobs WHERE id = :job AND NOT forgotten"
MAX_VERSIONS = 500


@dataclass(frozen=True)
class JobQuery:
    """Which jobs to list: filters, the page's size, and the number of the job before the page."""

    state: JobState | None = None
    name: str | None = None
    labels: Sequence[tuple[str, str]] = ()
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True)
class JobPage:
    """A page of jobs, newest first; `next` is where the next page begins, None on the last."""

    jobs: Sequence[Job] = field(default_factory=tuple)
    next: int | None = None


class JobStore:
    """What is kept of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = text(VERSION if database.tenant is None else f"{VERSION} AND tenant = :tenant")
        self._known: dict[str, Job] = {}
        self._lock = Lock()

    def accept(self, spec: JobSpec, digest: str, key: str | None, most_open: int | None = None) -> tuple[Job, str]:
        """Store a job and the shard that will plan it; a known key answers its job. Returns its digest too.

        Raises TooManyJobs where the tenant has `most_open` queued and running jobs already.
        """
        key = self._kept_key(key)
        with self._database.write() as session:
            if most_open is not None and _of_key(session, key) is None:
                self._check_room(session, most_open)
            row = None
            while row is None:  # a key that was taken may have been freed before its job is read
                number = self._insert(session, spec, digest, key)
                row = _of_key(session, key) if number is None else session.get_one(JobRow, number)
            if number is not None:
                session.add_all(LabelRow(job=number, key=name, value=text) for name, text in spec.labels.items())
                session.add(single_shard(session, number, ShardKind.PLAN))
            return to_job(row), row.spec_digest

    def of_key(self, key: str) -> tuple[Job, str] | None:
        """The job that came with this idempotency key before, and its digest."""
        with self._database.read() as session:
            row = _of_key(session, self._kept_key(key))
            return (to_job(row), row.spec_digest) if row else None

    def _kept_key(self, key: str | None) -> str | None:
        """An idempotency key as it is kept, each tenant's apart from every other's.

        Those of the default tenant stay as they were sent, as the version before keeps them; no other's can look like
        one, since what is sent holds no control character.
        """
        tenant = self._database.own_tenant
        return "\x1f" + hashlib.sha256(f"{tenant}\x1f{key}".encode()).hexdigest() if key and tenant else key

    def _check_room(self, session: Session, most: int) -> None:
        """Raise TooManyJobs where a tenant has so many open ones. Two requests of a moment count one after another."""
        tenant = self._database.own_tenant
        if not self._database.is_sqlite:  # whose writers come one after the other anyway
            session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"jobs of {tenant}"))))
        counted = select(func.count()).where(JobRow.tenant == tenant, JobRow.state.in_(OPEN_STATES))
        if (session.scalar(counted) or 0) >= most:
            raise TooManyJobs(most=most)

    def _insert(self, session: Session, spec: JobSpec, digest: str, key: str | None) -> int | None:
        """The new row's number; None where the key is taken, also by a request of the same moment."""
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
        return number

    def get(self, job: str) -> Job:
        """The job as it stands. Raises JobNotFound.

        All that can be seen of a job goes by its version, so one that was read before is not read again.
        """
        tenant = self._database.tenant
        facts = {"job": job} if tenant is None else {"job": job, "tenant": tenant}
        found = self._database.fetch_one(self._version, facts)
        known = self._known.get(job)
        if known is not None and found is not None and known.version == found.version:
            return known
        with self._database.read() as session:
            read = to_job(get_row(session, job))
        with self._lock:
            self._known[job] = read
            while len(self._known) > MAX_VERSIONS:
                self._known.pop(next(iter(self._known)))
        return read

    def find(self, query: JobQuery) -> JobPage:
        """A page of jobs, newest first."""
        # Said so that SQLite goes by number, and not by the index of what is forgotten through all jobs.
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
        """Stop an open job and forget its waiting work; an ended job stays as it is."""
        with self._database.write() as session:
            row = get_row(session, job)
            if end_job(session, row.number, JobState.CANCELLED, None):
                session.refresh(row)
            return to_job(row)

    def versions(self, jobs: Collection[str]) -> dict[str, int]:
        """The version each of these jobs has now."""
        with self._database.read() as session:
            pairs = session.execute(select(JobRow.id, JobRow.version).where(JobRow.id.in_(jobs), ~JobRow.forgotten))
            return {job: version for job, version in pairs}  # noqa: C416  # rows are no tuples to a type checker

    def summary(self, job: str) -> str | None:
        """The results as served, if there are any."""
        with self._database.read() as session:
            chosen = select(SummaryRow.document).join(JobRow, JobRow.number == SummaryRow.job)
            return session.scalar(chosen.where(JobRow.id == job, ~JobRow.forgotten))

    def delete(self, job: str) -> None:
        """Stop a job and have it found no more; its rows go in time, its key is free. Raises JobNotFound."""
        with self._database.write() as session:
            number = get_row(session, job).number
            end_job(session, number, JobState.CANCELLED, None)
            gone = update(JobRow).where(JobRow.number == number)
            session.execute(gone.values(forgotten=True, idempotency_key=None, version=JobRow.version + 1))


def _of_key(session: Session, key: str | None) -> JobRow | None:
    return session.scalars(select(JobRow).where(JobRow.idempotency_key == key)).one_or_none() if key else None


def get_row(session: Session, job: str) -> JobRow:
    """The row of a job. Raises JobNotFound."""
    row = session.scalars(select(JobRow).where(JobRow.id == job, ~JobRow.forgotten)).one_or_none()
    if row is None:
        raise JobNotFound(job=job)
    return row


def to_job(row: JobRow) -> Job:
    """The job that a row holds."""
    return Job(
        id=row.id, spec=resolved(JobSpec.model_validate(row.spec), row.plan), state=JobState(row.state),
        version=row.version, created_at=row.created_at, started_at=row.started_at, finished_at=row.finished_at,
        images_total=row.images_total, passes_total=row.passes_total, passes_done=row.passes_done,
        error=row.error, plan=row.plan, tenant=row.tenant, passes_reused=row.passes_reused, verdict=row.verdict,
        trace=row.trace, so_far=row.so_far, stopped_at=row.stopped_at,
    )  # fmt: skip
