"""Webhooks and what is sent to them: words that storage, sender and routes share. Knows no HTTP and no SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from service.domain.job import JobState
from service.spec.model import Json

Event = Literal["job.succeeded", "job.failed", "job.cancelled"]
Format = Literal["standard", "cloudevents"]

EVENTS: Mapping[JobState, Event] = {
    JobState.SUCCEEDED: "job.succeeded",
    JobState.FAILED: "job.failed",
    JobState.CANCELLED: "job.cancelled",
}


class DeliveryState(StrEnum):
    """`waiting -> delivered | failed`."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class Webhook:
    """Who is told, of what, and how. `secrets` are kept secrets, see keyring.py. Times are seconds since the epoch."""

    id: str
    url: str
    events: Sequence[Event]
    format: Format
    secrets: Sequence[Json] = field(repr=False)
    created_at: float
    disabled_at: float | None = None
    disabled_reason: str | None = None


@dataclass(frozen=True)
class Delivery:
    """A message to a webhook: that an event happened, with the facts, and how far its sending is."""

    number: int
    id: str
    event: Event
    facts: Json
    created_at: float
    state: DeliveryState
    attempts: int
    next_at: float
    status: int | None
    error: str | None
    ended_at: float | None


@dataclass(frozen=True)
class Attempt:
    """What came of one attempt: the answer's status, or the trouble; and for how long the receiver wants no other."""

    status: int | None
    error: str | None = None
    retry_after: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver took the message."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_receiver_gone(self) -> bool:
        """Whether the receiver wants no more of them."""
        return self.status == 410
