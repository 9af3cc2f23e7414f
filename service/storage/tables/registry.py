"""The rows of a model registry's versions that wait for a verdict, and of what the registry delivered."""

from sqlalchemy import Double, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.jobs import Rows


class VersionRow(Rows):
    """A model version on its way to a verdict; leased to one process at a time."""

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
    lease_until: Mapped[float | None] = mapped_column(Double)
    lease: Mapped[str | None] = mapped_column(String(36))


class HookRow(Rows):
    """A delivery that was taken, by its ID, for as long as a repetition of it could pass for new."""

    __tablename__ = "hook_deliveries"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    received_at: Mapped[float] = mapped_column(Double, index=True)


class RoundRow(Rows):
    """Work that comes round again: when it is next due. Who moves the time on does the round."""

    __tablename__ = "rounds"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    due_at: Mapped[float] = mapped_column(Double)
