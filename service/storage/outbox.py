"""What webhooks are to be told: written with the job's end, in its transaction, and kept until it has been sent.

A webhook is leased to one sender at a time. A sender that dies leaves its lease, which runs out.
"""

from uuid import uuid4

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from service.domain.job import JobState
from service.domain.webhook import EVENTS, Attempt, Delivery, DeliveryState, Webhook
from service.gate import Outcome
from service.net.backoff import exponential_delay
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.tables.jobs import JobRow, LabelRow
from service.storage.tables.webhooks import DeliveryRow, WebhookRow
from service.storage.webhooks import to_webhook

GIVE_UP_SECONDS = 24 * 3600
FIRST_PAUSE, MAX_PAUSE, FACTOR = 5.0, 2 * 3600.0, 4.0
RELEASE_SECONDS = 5.0  # a receiver that failed is left alone so long, whatever else waits for it


def enqueue_job_end(session: Session, number: int, state: JobState) -> None:
    """Put the end of a job into the outbox, for each webhook that asked for it; inside the ending's transaction."""
    query = select(WebhookRow.id, WebhookRow.events).join(JobRow, JobRow.tenant == WebhookRow.tenant)
    found = session.execute(query.where(JobRow.number == number, WebhookRow.disabled_at.is_(None))).all()
    event = EVENTS[state]
    wanted = [each.id for each in found if event in each.events]
    if wanted:
        facts, now = _facts(session, number), moment(session)
        session.add_all(
            DeliveryRow(
                id=str(uuid4()), webhook=webhook, event=event, facts=facts, created_at=now,
                state=DeliveryState.WAITING, next_at=now,
            )
            for webhook in wanted
        )  # fmt: skip


def _facts(session: Session, number: int) -> dict[str, object]:
    row = session.scalars(select(JobRow).where(JobRow.number == number).execution_options(populate_existing=True)).one()
    labels = session.execute(select(LabelRow.key, LabelRow.value).where(LabelRow.job == number)).all()
    return {
        "job": row.id, "name": row.name, "labels": {each.key: each.value for each in labels}, "state": row.state,
        "error": row.error, "verdict": _verdict(row), "finished_at": row.finished_at,
    }  # fmt: skip


def _verdict(row: JobRow) -> str | None:
    """What the job's gate says: without results an error, without a gate nothing."""
    if row.verdict is not None:
        return str(row.verdict["outcome"])
    return Outcome.ERROR if row.spec.get("gate") else None


class Outbox:
    """What waits to be sent, and what has been."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, lease_seconds: float) -> Webhook | None:
        """Take a webhook for which something is due, unless another sender has it; None where there is none."""
        due = select(DeliveryRow.webhook).where(DeliveryRow.state == DeliveryState.WAITING, DeliveryRow.next_at <= NOW)
        free = or_(WebhookRow.lease_until.is_(None), WebhookRow.lease_until <= NOW)
        chosen = select(WebhookRow).where(free, WebhookRow.disabled_at.is_(None), WebhookRow.id.in_(due)).limit(1)
        with self._database.read() as session:  # most often there is none, and nobody need be kept from writing
            if session.scalar(chosen.with_only_columns(WebhookRow.id)) is None:
                return None
        with self._database.write() as session:
            row = session.scalars(chosen.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            row.lease_until = NOW + lease_seconds
            return to_webhook(row)

    def next_for(self, webhook: str) -> Delivery | None:
        """What is due first for a webhook; None where nothing is."""
        chosen = select(DeliveryRow).where(
            DeliveryRow.webhook == webhook,
            DeliveryRow.state == DeliveryState.WAITING,
            DeliveryRow.next_at <= NOW,
        )
        with self._database.read() as session:
            row = session.scalars(chosen.order_by(DeliveryRow.next_at, DeliveryRow.number).limit(1)).one_or_none()
            return None if row is None else _to_delivery(row)

    def record(self, webhook: str, delivery: Delivery, outcome: Attempt, lease_seconds: float) -> bool:
        """Keep what came of an attempt. True: the receiver takes messages, and the lease goes on."""
        with self._database.write() as session:
            now = moment(session)
            hook = session.get(WebhookRow, webhook, with_for_update=True)
            row = session.get(DeliveryRow, delivery.number)
            if hook is None or row is None:  # deleted meanwhile
                return False
            row.attempts, row.status, row.error = row.attempts + 1, outcome.status, outcome.error
            pause = max(exponential_delay(row.attempts, FIRST_PAUSE, MAX_PAUSE, FACTOR), outcome.retry_after)
            row.next_at = now + pause
            if outcome.is_delivered:
                row.state, row.ended_at = DeliveryState.DELIVERED, now
            elif outcome.is_receiver_gone:
                _disable(session, hook, now)
            elif row.next_at > row.created_at + GIVE_UP_SECONDS:
                row.state, row.ended_at = DeliveryState.FAILED, now
            hook.lease_until = now + (lease_seconds if outcome.is_delivered else RELEASE_SECONDS)
            return outcome.is_delivered

    def release(self, webhook: str) -> None:
        """Let others have a webhook for which nothing was due any more."""
        with self._database.write() as session:
            session.execute(update(WebhookRow).where(WebhookRow.id == webhook).values(lease_until=None))

    def page(self, webhook: str, before: int | None, limit: int) -> tuple[list[Delivery], int | None]:
        """A webhook's deliveries, newest first, and where the next page begins; None on the last."""
        chosen = select(DeliveryRow).where(DeliveryRow.webhook == webhook)
        if before is not None:
            chosen = chosen.where(DeliveryRow.number < before)
        with self._database.read() as session:
            rows = session.scalars(chosen.order_by(DeliveryRow.number.desc()).limit(limit + 1)).all()
        found = [_to_delivery(row) for row in rows[:limit]]
        return found, found[-1].number if len(rows) > limit else None

    def delete_old(self, seconds: float) -> None:
        """Delete what ended so long ago."""
        with self._database.write() as session:
            session.execute(delete(DeliveryRow).where(DeliveryRow.ended_at <= NOW - seconds))


def _disable(session: Session, hook: WebhookRow, now: float) -> None:
    """Send nothing more to a receiver that is gone."""
    hook.disabled_at, hook.disabled_reason = now, "the receiver answered 410 Gone"
    waiting = update(DeliveryRow).where(DeliveryRow.webhook == hook.id, DeliveryRow.state == DeliveryState.WAITING)
    session.execute(waiting.values(state=DeliveryState.FAILED, ended_at=now))


def _to_delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        row.number, row.id, row.event, row.facts, row.created_at, DeliveryState(row.state), row.attempts,  # type: ignore[arg-type]  # what was put in
        row.next_at, row.status, row.error, row.ended_at,
    )  # fmt: skip
