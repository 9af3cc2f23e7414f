"""Webhooks, their deliveries and the attempts to send them. This module knows no HTTP and no SQL."""

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
    """A subscription to events: URL, events and format. Times are in seconds since the epoch.

    `secrets` are the stored forms of the secrets, see service/integrations/webhooks/secrets.py.
    """

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
    """A message to a webhook: the event, its facts, and the state of its delivery."""

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
    """The result of one attempt: HTTP status or error, and the seconds that the receiver asks to wait."""

    status: int | None
    error: str | None = None
    retry_after: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver accepted the message (status 2xx)."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_receiver_gone(self) -> bool:
        """Whether the receiver no longer exists (status 410)."""
        return self.status == 410
