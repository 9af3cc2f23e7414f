"""Jobs in the database: accepted, found, cancelled."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.domain import OPEN_STATES, Job, JobState, ShardKind, ShardState
from service.errors import JobNotFound
from service.settled import planned, stored
from service.spec import JobSpec
from service.storage.database import Database
from service.tables import JobRow, LabelRow, ShardRow, SummaryRow


@dataclass(frozen=True)
class Query:
    """Which jobs to list: filters, the page's size, and the number of the job before the page."""

    state: JobState | None = None
    name: str | None = None
    labels: Sequence[tuple[str, str]] = ()
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True)
class Found:
    """A page of jobs, newest first; `next` is where the next page begins, None on the last."""

    jobs: Sequence[Job] = field(default_factory=tuple)
    next: int | None = None


class JobStore:
    """What is kept of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(self, spec: JobSpec, digest: str, key: str | None) -> tuple[Job, str]:
        """Store a job and the shard that will plan it; a known key answers its job. Returns its digest too."""
        with self._database.write() as session:
            number = self._insert(session, spec, digest, key)
            if number is not None:
                session.add_all(LabelRow(job=number, key=name, value=text) for name, text in spec.labels.items())
                session.add(ShardRow(job=number, kind=ShardKind.PLAN, state=ShardState.WAITING))
            chosen = JobRow.number == number if number is not None else JobRow.idempotency_key == key
            row = session.scalars(select(JobRow).where(chosen)).one()
            return to_job(row), row.spec_digest

    def knows(self, key: str) -> bool:
        """Whether a job came with this idempotency key before."""
        with self._database.read() as session:
            return session.scalar(select(JobRow.number).where(JobRow.idempotency_key == key)) is not None

    def _insert(self, session: Session, spec: JobSpec, digest: str, key: str | None) -> int | None:
        """The new row's number; None where the key is taken, also by a request of the same moment."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        number: int | None = session.scalar(
            dialect.insert(JobRow)
            .values(
                id=str(uuid4()),
                name=spec.name,
                spec=stored(spec),
                state=JobState.QUEUED,
                version=1,
                created_at=time.time(),
                passes_done=0,
                idempotency_key=key,
                spec_digest=digest,
            )
            .on_conflict_do_nothing(index_elements=["idempotency_key"])
            .returning(JobRow.number)
        )
        return number

    def get(self, job: str) -> Job:
        """The job as it stands. Raises JobNotFound."""
        with self._database.read() as session:
            return to_job(row_of(session, job))

    def find(self, query: Query) -> Found:
        """A page of jobs, newest first."""
        chosen = select(JobRow).order_by(JobRow.number.desc()).limit(query.limit + 1)
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
        return Found([to_job(row) for row in page], page[-1].number if len(rows) > query.limit else None)

    def cancel(self, job: str) -> Job:
        """Stop an open job and forget its waiting work; an ended job stays as it is."""
        with self._database.write() as session:
            row = row_of(session, job)
            if end_job(session, row.number, JobState.CANCELLED, None):
                session.refresh(row)
            return to_job(row)

    def versions(self, jobs: Collection[str]) -> dict[str, int]:
        """The version each of these jobs has now."""
        with self._database.read() as session:
            pairs = session.execute(select(JobRow.id, JobRow.version).where(JobRow.id.in_(jobs)))
            return {job: version for job, version in pairs}  # noqa: C416  # rows are no tuples to a type checker

    def summary(self, job: str) -> str | None:
        """The results as served, if there are any."""
        with self._database.read() as session:
            chosen = select(SummaryRow.document).join(JobRow, JobRow.number == SummaryRow.job)
            return session.scalar(chosen.where(JobRow.id == job))


def row_of(session: Session, job: str) -> JobRow:
    """The row of a job. Raises JobNotFound."""
    row = session.scalars(select(JobRow).where(JobRow.id == job)).one_or_none()
    if row is None:
        raise JobNotFound(job=job)
    return row


def end_job(session: Session, number: int, state: JobState, error: dict[str, object] | None) -> bool:
    """Move an open job to an end state and drop its remaining shards. False: it had ended already."""
    ended = session.execute(
        update(JobRow)
        .where(JobRow.number == number, JobRow.state.in_(OPEN_STATES))
        .values(state=state, error=error, finished_at=time.time(), version=JobRow.version + 1)
    )
    if ended.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
        session.execute(delete(ShardRow).where(ShardRow.job == number, ShardRow.state != ShardState.DONE))
    return bool(ended.rowcount)  # type: ignore[attr-defined]  # as above


def to_job(row: JobRow) -> Job:
    """The job that a row holds."""
    return Job(
        id=row.id, spec=planned(JobSpec.model_validate(row.spec), row.plan), state=JobState(row.state),
        version=row.version, created_at=row.created_at, started_at=row.started_at, finished_at=row.finished_at,
        images_total=row.images_total, passes_total=row.passes_total, passes_done=row.passes_done,
        error=row.error, plan=row.plan,
    )  # fmt: skip
