"""Tables of jobs with their shards, images, values and results, and of policies; the same on SQLite and Postgres."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import LeasedRow, RowNumber, Rows


class JobRow(Rows):
    """A job. `version` grows with every visible change. `forgotten` marks a deleted job; its rows are removed later."""

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "tenant", "state"), Index(None, "forgotten", "finished_at"))

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str | None] = mapped_column(String(200), index=True)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16), index=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[float] = mapped_column(Double)
    started_at: Mapped[float | None] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)
    images_total: Mapped[int | None] = mapped_column(BigInteger)
    passes_total: Mapped[int | None] = mapped_column(BigInteger)
    passes_done: Mapped[int] = mapped_column(BigInteger, default=0)
    slices_left: Mapped[int | None]
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    idempotency_key: Mapped[str | None] = mapped_column(String(255), unique=True)
    spec_digest: Mapped[str] = mapped_column(String(64))
    tenant: Mapped[str] = mapped_column(String(200), default="", server_default="")
    priority: Mapped[int] = mapped_column(default=1, server_default="1")
    deadline_at: Mapped[float | None] = mapped_column(Double)
    forgotten: Mapped[bool] = mapped_column(default=False, server_default=false())
    trace: Mapped[str | None] = mapped_column(String(64))
    so_far: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    looked: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    look_after: Mapped[float | None] = mapped_column(Double)
    stopped_at: Mapped[int | None] = mapped_column(BigInteger)
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    passes_reused: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class LabelRow(Rows):
    """One label of a job."""

    __tablename__ = "job_labels"
    __table_args__ = (Index(None, "key", "value"),)

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))


class ShardRow(Rows):
    """A unit of leased work. Plan, interim look and summary have the cohort -1; plan and summary cover no images.

    Waiting shards are claimed in the order of `priority`, `turn` and `id`, for which there is an index. The
    database has the defaults too, so that an older version, which does not know all columns, can insert rows.
    """

    __tablename__ = "shards"
    __table_args__ = (
        UniqueConstraint("job", "kind", "cohort", "start"),
        Index(None, "state", "priority", "turn", "id"),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    cohort: Mapped[int] = mapped_column(default=-1)
    start: Mapped[int] = mapped_column(BigInteger, default=0)
    stop: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[float | None] = mapped_column(Double)
    passes_done: Mapped[int] = mapped_column(BigInteger, default=0)
    device: Mapped[str | None] = mapped_column(String(100))
    trouble: Mapped[str | None] = mapped_column(Text)
    format: Mapped[int] = mapped_column(default=0, server_default="0")
    priority: Mapped[int] = mapped_column(default=1, server_default="1")
    turn: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    not_before: Mapped[float] = mapped_column(Double, default=0.0, server_default="0")
    deaths: Mapped[int] = mapped_column(default=0, server_default="0")
    restarts: Mapped[int] = mapped_column(default=0, server_default="0")
    troubles: Mapped[int] = mapped_column(default=0, server_default="0")


class ImageRow(Rows):
    """An image of a job. The shard that reads the image sets `sha256` or `skipped`. `group_values` is a JSON list.

    `job` is not a foreign key, since a million inserts would each look it up; writers lock the job's row instead.
    """

    __tablename__ = "images"

    job: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    label: Mapped[str | None] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    human: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str | None] = mapped_column(String(64))
    skipped: Mapped[str | None] = mapped_column(Text)
    group_values: Mapped[str | None] = mapped_column(Text)


class InspectionRow(LeasedRow, Rows):
    """An inspection of a model or an image set. The worker sets `found` or `error`."""

    __tablename__ = "inspections"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    tenant: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_at: Mapped[float] = mapped_column(Double, index=True)
    attempt: Mapped[int] = mapped_column(default=0)
    found: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class ValueRow(Rows):
    """The values of one image under one run (-1: across the runs of a cohort), float64 in the plan's column order.

    Rows with equal cache keys have equal values, in all jobs. Rows of releases without cache keys have no key.
    """

    __tablename__ = "image_values"
    __table_args__ = (Index(None, "key"),)

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    image: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    key: Mapped[bytes | None] = mapped_column(LargeBinary(16))


class MapSumRow(Rows):
    """The sum of a run's maps over the images of one image set that are measured so far."""

    __tablename__ = "map_sums"

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    cohort: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)
    out_of_set: Mapped[bool] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class SummaryRow(Rows):
    """The results of a job, as the text that the API serves."""

    __tablename__ = "summaries"

    job: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True)
    document: Mapped[str] = mapped_column(Text)


class PolicyRow(Rows):
    """A version of a policy. Withdrawn versions stay for the jobs that were judged by them."""

    __tablename__ = "policies"
    __table_args__ = (UniqueConstraint("tenant", "name", "version"),)

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(200), default="", server_default="")
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[int]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Double)
    withdrawn: Mapped[bool] = mapped_column(default=False, server_default=false())
