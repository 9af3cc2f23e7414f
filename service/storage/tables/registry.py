"""Tables of model versions that wait for a verdict, of received webhook deliveries, and of periodic tasks."""

from sqlalchemy import Double, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import LeasedRow, Rows


class VersionRow(LeasedRow, Rows):
    """A model version that waits for a verdict; one process at a time leases it."""

    __tablename__ = "registry_versions"
    __table_args__ = (Index(None, "state", "next_at"),)

    name: Mapped[str] = mapped_column(String(256), primary_key=True)
    version: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    job: Mapped[str | None] = mapped_column(String(36))
    policy: Mapped[str | None] = mapped_column(String(100))
    policy_version: Mapped[int | None]
    refusal: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    trouble: Mapped[str | None] = mapped_column(Text)
    next_at: Mapped[float] = mapped_column(Double)
    lease: Mapped[str | None] = mapped_column(String(36))


class HookRow(Rows):
    """The ID of a received delivery. It is stored until a repetition would be refused for its age."""

    __tablename__ = "hook_deliveries"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    received_at: Mapped[float] = mapped_column(Double, index=True)


class RoundRow(Rows):
    """A periodic task and when it is due. The process that advances `due_at` runs the task."""

    __tablename__ = "rounds"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    due_at: Mapped[float] = mapped_column(Double)
