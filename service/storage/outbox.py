"""The outbox of webhook deliveries: rows are inserted in the transaction that ends a job, and stay until they are sent.

A webhook is leased to one sender at a time. If a sender dies, its lease expires and another sender takes over.
"""

from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from service.domain.job import JobState
from service.domain.webhook import EVENTS, Attempt, Delivery, DeliveryState, Webhook
from service.gate import Outcome
from service.net.backoff import exponential_delay
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.lease_queue import claim_one
from service.storage.tables.jobs import JobRow, LabelRow
from service.storage.tables.webhooks import DeliveryRow, WebhookRow
from service.storage.webhooks import to_webhook

GIVE_UP_SECONDS = 24 * 3600
INITIAL_DELAY, MAX_DELAY, FACTOR = 5.0, 2 * 3600.0, 4.0
RELEASE_SECONDS = 5.0  # time after a failed attempt in which the receiver gets no message


def enqueue_job_end(session: Session, number: int, state: JobState) -> None:
    """Insert a delivery for each webhook that subscribes to the end of a job, in the transaction that ends the job."""
    query = select(WebhookRow.id, WebhookRow.events).join(JobRow, JobRow.tenant == WebhookRow.tenant)
    found = session.execute(query.where(JobRow.number == number, WebhookRow.disabled_at.is_(None))).all()
    event = EVENTS[state]
    subscribers = [each.id for each in found if event in each.events]
    if subscribers:
        facts, now = _job_facts(session, number), moment(session)
        session.add_all(
            DeliveryRow(
                id=str(uuid4()), webhook=webhook, event=event, facts=facts, created_at=now,
                state=DeliveryState.WAITING, next_at=now,
            )
            for webhook in subscribers
        )  # fmt: skip


def _job_facts(session: Session, number: int) -> dict[str, object]:
    row = session.scalars(select(JobRow).where(JobRow.number == number).execution_options(populate_existing=True)).one()
    labels = session.execute(select(LabelRow.key, LabelRow.value).where(LabelRow.job == number)).all()
    return {
        "job": row.id, "name": row.name, "labels": {each.key: each.value for each in labels}, "state": row.state,
        "error": row.error, "verdict": _verdict(row), "finished_at": row.finished_at,
    }  # fmt: skip


def _verdict(row: JobRow) -> str | None:
    """Return the outcome of the job's gate: `error` if the job has no results, None if it has no gate."""
    if row.verdict is not None:
        return str(row.verdict["outcome"])
    return Outcome.ERROR if row.spec.get("gate") else None


class Outbox:
    """Deliveries to webhooks, waiting and ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, lease_seconds: float) -> Webhook | None:
        """Lease a webhook that has a due delivery; None if there is none, or other senders hold all of them."""
        due = select(DeliveryRow.webhook).where(DeliveryRow.state == DeliveryState.WAITING, DeliveryRow.next_at <= NOW)
        ready = select(WebhookRow).where(WebhookRow.disabled_at.is_(None), WebhookRow.id.in_(due))
        return claim_one(self._database, WebhookRow, ready, lease_seconds, lambda _, row: to_webhook(row))

    def next_for(self, webhook: str) -> Delivery | None:
        """Return the first delivery that is due for a webhook; None if there is none."""
        chosen = select(DeliveryRow).where(
            DeliveryRow.webhook == webhook,
            DeliveryRow.state == DeliveryState.WAITING,
            DeliveryRow.next_at <= NOW,
        )
        with self._database.read() as session:
            row = session.scalars(chosen.order_by(DeliveryRow.next_at, DeliveryRow.number).limit(1)).one_or_none()
            return None if row is None else _to_delivery(row)

    def record(self, webhook: str, delivery: Delivery, attempt: Attempt, lease_seconds: float) -> bool:
        """Store the result of an attempt. Returns True if the message was delivered, which extends the lease."""
        with self._database.write() as session:
            now = moment(session)
            hook = session.get(WebhookRow, webhook, with_for_update=True)
            row = session.get(DeliveryRow, delivery.number)
            if hook is None or row is None:  # deleted meanwhile
                return False
            row.attempts, row.status, row.error = row.attempts + 1, attempt.status, attempt.error
            delay = max(exponential_delay(row.attempts, INITIAL_DELAY, MAX_DELAY, FACTOR), attempt.retry_after)
            row.next_at = now + delay
            if attempt.is_delivered:
                row.state, row.ended_at = DeliveryState.DELIVERED, now
            elif attempt.is_receiver_gone:
                _disable(session, hook, now)
            elif row.next_at > row.created_at + GIVE_UP_SECONDS:
                row.state, row.ended_at = DeliveryState.FAILED, now
            hook.lease_until = now + (lease_seconds if attempt.is_delivered else RELEASE_SECONDS)
            return attempt.is_delivered

    def release(self, webhook: str) -> None:
        """Give up the lease on a webhook."""
        with self._database.write() as session:
            session.execute(update(WebhookRow).where(WebhookRow.id == webhook).values(lease_until=None))

    def page(self, webhook: str, before: int | None, limit: int) -> tuple[list[Delivery], int | None]:
        """Return a page of a webhook's deliveries, newest first, and the cursor of the next page, if there is one."""
        chosen = select(DeliveryRow).where(DeliveryRow.webhook == webhook)
        if before is not None:
            chosen = chosen.where(DeliveryRow.number < before)
        with self._database.read() as session:
            rows = session.scalars(chosen.order_by(DeliveryRow.number.desc()).limit(limit + 1)).all()
        found = [_to_delivery(row) for row in rows[:limit]]
        return found, found[-1].number if len(rows) > limit else None

    def delete_old(self, seconds: float) -> None:
        """Delete deliveries that ended more than `seconds` ago."""
        with self._database.write() as session:
            session.execute(delete(DeliveryRow).where(DeliveryRow.ended_at <= NOW - seconds))


def _disable(session: Session, hook: WebhookRow, now: float) -> None:
    """Disable a webhook whose receiver no longer exists, and fail its waiting deliveries."""
    hook.disabled_at, hook.disabled_reason = now, "the receiver answered 410 Gone"
    waiting = update(DeliveryRow).where(DeliveryRow.webhook == hook.id, DeliveryRow.state == DeliveryState.WAITING)
    session.execute(waiting.values(state=DeliveryState.FAILED, ended_at=now))


def _to_delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        row.number, row.id, row.event, row.facts, row.created_at, DeliveryState(row.state), row.attempts,  # type: ignore[arg-type]  # only valid events are inserted
        row.next_at, row.status, row.error, row.ended_at,
    )  # fmt: skip
