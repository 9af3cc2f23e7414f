"""Gauges of the whole service for /metrics, read from the database in one query.

A gauge is a SELECT of (label, value) rows; add new gauges to GAUGES. Each must be fast with a million rows: it may
read an index, or open jobs only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Double, Select, cast, func, literal, null, select, union_all

from service.domain.job import JobState
from service.domain.webhook import DeliveryState
from service.domain.work import ShardState
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.tables.jobs import JobRow, ShardRow
from service.storage.tables.webhooks import DeliveryRow

LabelledValues = Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class Gauge:
    """A metric: its help text, its SELECT, its label (None: a single value), and label values that default to 0."""

    meaning: str
    query: Callable[[], LabelledValues]
    label: str | None = None
    default_labels: Sequence[str] = ()


def _jobs() -> LabelledValues:
    return select(JobRow.state, func.count()).group_by(JobRow.state)


def _shards() -> LabelledValues:
    is_open = ShardRow.state.in_((ShardState.WAITING, ShardState.RUNNING))
    return select(ShardRow.state, func.count()).where(is_open).group_by(ShardRow.state)


def _queue_age() -> LabelledValues:
    waited = NOW - func.min(JobRow.created_at)
    return select(null(), func.coalesce(waited, 0.0)).where(JobRow.state == JobState.QUEUED)


def _speed() -> LabelledValues:
    speed = JobRow.passes_done / (NOW - JobRow.started_at)
    return select(null(), func.coalesce(func.sum(speed), 0.0)).where(
        JobRow.state == JobState.RUNNING, JobRow.started_at < NOW
    )


def _busy() -> LabelledValues:
    return select(null(), func.count(ShardRow.worker.distinct())).where(ShardRow.state == ShardState.RUNNING)


def _deliveries() -> LabelledValues:
    return select(DeliveryRow.state, func.count()).group_by(DeliveryRow.state)


GAUGES: Mapping[str, Gauge] = {
    "salience_jobs": Gauge(
        "Jobs by state, including deleted jobs until their rows are removed", _jobs, "state", [*JobState]
    ),
    "salience_shards": Gauge(
        "Shards of open jobs by state", _shards, "state", [ShardState.WAITING, ShardState.RUNNING]
    ),
    "salience_queue_age_seconds": Gauge("Waiting time of the oldest queued job", _queue_age),
    "salience_passes_per_second": Gauge(
        "Forward passes per second: sum of the mean speeds of all running jobs", _speed
    ),
    "salience_workers_busy": Gauge("Worker processes that hold a shard", _busy),
    "salience_webhook_deliveries": Gauge(
        "Webhook deliveries by state; deliveries that have ended count for a week",
        _deliveries,
        "state",
        [*DeliveryState],
    ),
}


def read_gauges(database: Database) -> Mapping[str, Mapping[str, float]]:
    """Return the values of each gauge by label ("" if it has no label). Raises DatabaseUnavailable."""
    parts = []
    for name, gauge in GAUGES.items():
        rows = gauge.query().subquery()
        label, value = rows.c
        parts.append(select(literal(name), func.coalesce(label, ""), cast(value, Double)))
    found: dict[str, dict[str, float]] = {
        name: dict.fromkeys(gauge.default_labels or ("",), 0.0) for name, gauge in GAUGES.items()
    }
    with database.read() as session:
        for name, label, value in session.execute(union_all(*parts)):
            found[name][label] = value
    return found
