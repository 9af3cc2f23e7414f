"""Webhooks in the database: the URLs that receive a message when a job ends."""

import time
from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.domain.webhook import Event, Format, Webhook
from service.errors import TooManyWebhooks, WebhookNotFound
from service.spec.model import Json
from service.storage.database import Database
from service.storage.tables.webhooks import WebhookRow

MAX_WEBHOOKS = 100
MAX_SECRETS = 5  # for each webhook; each message is signed with all of them


class WebhookStore:
    """Stores webhooks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tenant = database.own_tenant

    def add(self, url: str, events: Sequence[Event], form: Format, secret: Json) -> Webhook:
        """Store a webhook. Raises TooManyWebhooks."""
        with self._database.write() as session:
            counted = select(func.count()).select_from(WebhookRow).where(WebhookRow.tenant == self._tenant)
            if (session.scalar(counted) or 0) >= MAX_WEBHOOKS:
                raise TooManyWebhooks(most=MAX_WEBHOOKS)
            row = WebhookRow(
                id=str(uuid4()), url=url, events=list(events), format=form, secrets=[secret], tenant=self._tenant,
                created_at=time.time(),
            )  # fmt: skip
            session.add(row)
            return to_webhook(row)

    def all(self) -> list[Webhook]:
        """Return all webhooks, oldest first."""
        chosen = (
            select(WebhookRow).where(WebhookRow.tenant == self._tenant).order_by(WebhookRow.created_at, WebhookRow.id)
        )
        with self._database.read() as session:
            return [to_webhook(row) for row in session.scalars(chosen)]

    def get(self, webhook: str) -> Webhook:
        """Return a webhook. Raises WebhookNotFound."""
        with self._database.read() as session:
            return to_webhook(_get_row(session, webhook, self._tenant))

    def remove(self, webhook: str) -> None:
        """Delete a webhook and all its deliveries, even those that wait. Raises WebhookNotFound."""
        with self._database.write() as session:
            session.delete(_get_row(session, webhook, self._tenant))

    def rotate(self, webhook: str, secret: Json, overlap: float) -> Webhook:
        """Add a secret. For `overlap` seconds, earlier secrets sign messages too. Raises WebhookNotFound."""
        now = time.time()
        with self._database.write() as session:
            row = _get_row(session, webhook, self._tenant)
            earlier = [{"until": now + overlap, **each} for each in row.secrets]
            row.secrets = [secret, *(each for each in earlier if each["until"] > now)][:MAX_SECRETS]
            return to_webhook(row)


def _get_row(session: Session, webhook: str, tenant: str) -> WebhookRow:
    chosen = select(WebhookRow).where(WebhookRow.id == webhook, WebhookRow.tenant == tenant)
    row = session.scalars(chosen.with_for_update()).one_or_none()
    if row is None:
        raise WebhookNotFound(webhook=webhook)
    return row


def to_webhook(row: WebhookRow) -> Webhook:
    """Convert a row to a webhook."""
    return Webhook(
        row.id, row.url, row.events, row.format, row.secrets, row.created_at, row.disabled_at, row.disabled_reason  # type: ignore[arg-type]  # only valid values are inserted
    )  # fmt: skip
