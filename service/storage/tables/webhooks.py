"""Tables of webhooks and of their deliveries."""

from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import LeasedRow, RowNumber, Rows


class WebhookRow(LeasedRow, Rows):
    """A URL that receives a message when a job ends; one sender at a time leases it. `secrets` holds no plain text."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(JSON)
    format: Mapped[str] = mapped_column(String(16))
    secrets: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    tenant: Mapped[str] = mapped_column(String(200), default="", server_default="", index=True)
    created_at: Mapped[float] = mapped_column(Double)
    disabled_at: Mapped[float | None] = mapped_column(Double)
    disabled_reason: Mapped[str | None] = mapped_column(Text)


class DeliveryRow(Rows):
    """A message to a webhook, inserted when a job ends and deleted some time after it was sent."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "state", "next_at"), Index(None, "webhook", "number"))

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    webhook: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(32))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Double)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    next_at: Mapped[float] = mapped_column(Double)
    status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[float | None] = mapped_column(Double, index=True)
