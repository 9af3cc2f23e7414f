"""What the database tells about the state of the whole service, for /metrics: one query, one answer for all processes.

A gauge is a select of (label, value) rows; to tell more, add one to GAUGES. Each must be cheap with a million rows:
a look into an index, or at open jobs alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Double, Select, cast, func, literal, null, select, union_all

from service.domain.job import JobState, ShardState
from service.domain.webhook import DeliveryState
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.tables.jobs import JobRow, ShardRow
from service.storage.tables.webhooks import DeliveryRow

Rows = Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class Gauge:
    """A metric: what it says, the name of its label (none: one number), the labels it always has, and its select."""

    meaning: str
    rows: Callable[[], Rows]
    label: str | None = None
    always: Sequence[str] = ()


def _jobs() -> Rows:
    return select(JobRow.state, func.count()).group_by(JobRow.state)


def _shards() -> Rows:
    open_ones = ShardRow.state.in_((ShardState.WAITING, ShardState.RUNNING))
    return select(ShardRow.state, func.count()).where(open_ones).group_by(ShardRow.state)


def _queue_age() -> Rows:
    waited = NOW - func.min(JobRow.created_at)
    return select(null(), func.coalesce(waited, 0.0)).where(JobRow.state == JobState.QUEUED)


def _speed() -> Rows:
    each = JobRow.passes_done / (NOW - JobRow.started_at)
    return select(null(), func.coalesce(func.sum(each), 0.0)).where(
        JobRow.state == JobState.RUNNING, JobRow.started_at < NOW
    )


def _busy() -> Rows:
    return select(null(), func.count(ShardRow.worker.distinct())).where(ShardRow.state == ShardState.RUNNING)


def _deliveries() -> Rows:
    return select(DeliveryRow.state, func.count()).group_by(DeliveryRow.state)


GAUGES: Mapping[str, Gauge] = {
    "salience_jobs": Gauge("Jobs by state, forgotten ones until their rows are deleted", _jobs, "state", [*JobState]),
    "salience_shards": Gauge(
        "Shards of open jobs by state", _shards, "state", [ShardState.WAITING, ShardState.RUNNING]
    ),
    "salience_queue_age_seconds": Gauge("How long the oldest queued job has waited to be begun", _queue_age),
    "salience_passes_per_second": Gauge("Forward passes a second: each running job's mean speed, added up", _speed),
    "salience_workers_busy": Gauge("Worker processes that hold a shard", _busy),
    "salience_webhook_deliveries": Gauge(
        "Messages to webhooks by state; those that ended are counted for a week", _deliveries, "state", [*DeliveryState]
    ),
}


def read_gauges(database: Database) -> Mapping[str, Mapping[str, float]]:
    """Each gauge's value by label ("" where it has none). Raises DatabaseUnavailable."""
    parts = []
    for name, gauge in GAUGES.items():
        rows = gauge.rows().subquery()
        label, value = rows.c
        parts.append(select(literal(name), func.coalesce(label, ""), cast(value, Double)))
    found: dict[str, dict[str, float]] = {
        name: dict.fromkeys(gauge.always or ("",), 0.0) for name, gauge in GAUGES.items()
    }
    with database.read() as session:
        for name, label, value in session.execute(union_all(*parts)):
            found[name][label] = value
    return found
