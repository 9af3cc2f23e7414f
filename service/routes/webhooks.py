"""Webhooks over HTTP: who is told when jobs end, with which secret, and what has been sent."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

from service.errors import blaming
from service.http_errors import documented
from service.keyring import Keyring, shown
from service.notices import EVENTS, Delivery, DeliveryState, Event, Format, Webhook
from service.options import Part
from service.outgoing import refusal_of
from service.routes.access import ADMIN
from service.routes.cursors import decode, encode
from service.routes.jobs import JobsHere, Text

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

CREATED, NO_CONTENT = HTTPStatus.CREATED, HTTPStatus.NO_CONTENT
NOT_FOUND, CONFLICT, INVALID = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY
OFF = HTTPStatus.NOT_IMPLEMENTED
DAY = 86_400


def _address(url: str) -> str:
    reason = refusal_of(url)
    if reason:
        raise PydanticCustomError("address", "{reason}", {"reason": reason})
    return url


class NewWebhook(Part):
    """Where to send, of which events, and in which form."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(_address)]
    events: Annotated[list[Event], Field(min_length=1)] = list(EVENTS.values())  # noqa: RUF012  # pydantic copies it
    format: Format = "standard"


class Rotation(Part):
    """How long the secrets of before go on signing beside the new one."""

    overlap_seconds: Annotated[float, Field(ge=0, le=30 * DAY)] = DAY


class WebhookBody(BaseModel):
    """A webhook; one that is disabled is sent nothing."""

    id: str
    url: str
    events: list[Event]
    format: Format
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None


class WebhookWithSecret(WebhookBody):
    """A webhook and its newest secret, which is told this once."""

    secret: str = Field(description="what receivers verify with: `whsec_` and base64")


class WebhookList(BaseModel):
    """All webhooks, oldest first."""

    items: list[WebhookBody]


class DeliveryBody(BaseModel):
    """A message, and how far its sending is."""

    id: str = Field(description="the `webhook-id` of every attempt")
    event: Event
    job: str
    state: DeliveryState
    attempts: int
    status: int | None = Field(description="of the last answer; null where none came")
    error: str | None = Field(description="what went wrong last")
    created_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None


class DeliveryPage(BaseModel):
    """A page of deliveries, newest first."""

    items: list[DeliveryBody]
    next: str | None = Field(description="cursor of the next page; null on the last")


def the_keys(request: Request) -> Keyring:
    """The operator's keys."""
    keys: Keyring = request.app.state.keys
    return keys


KeysHere = Annotated[Keyring, Depends(the_keys)]


@router.post("", dependencies=[ADMIN], status_code=CREATED, responses=documented(CONFLICT, INVALID, OFF))
def create(asked: NewWebhook, jobs: JobsHere, keys: KeysHere) -> WebhookWithSecret:
    """Have the ends of jobs told to a URL, by the Standard Webhooks specification. The secret is told this once."""
    with blaming("url"):
        jobs.known.hosts.check_literal(asked.url)
    made = jobs.store.webhooks.add(asked.url, asked.events, asked.format, keys.make())
    return _with_secret(made, keys)


@router.get("", dependencies=[ADMIN])
def list_all(jobs: JobsHere) -> WebhookList:
    """All webhooks, without their secrets."""
    return WebhookList(items=[WebhookBody(**_fields(each)) for each in jobs.store.webhooks.all()])


@router.get("/{webhook}", dependencies=[ADMIN], responses=documented(NOT_FOUND, INVALID))
def get(webhook: Text, jobs: JobsHere) -> WebhookBody:
    """A webhook, without its secret."""
    return WebhookBody(**_fields(jobs.store.webhooks.get(webhook)))


@router.delete("/{webhook}", dependencies=[ADMIN], status_code=NO_CONTENT, responses=documented(NOT_FOUND, INVALID))
def remove(webhook: Text, jobs: JobsHere) -> None:
    """Forget a webhook and its deliveries; nothing more is sent."""
    jobs.store.webhooks.remove(webhook)


@router.post("/{webhook}/rotate", dependencies=[ADMIN], responses=documented(NOT_FOUND, INVALID, OFF))
def rotate(webhook: Text, jobs: JobsHere, keys: KeysHere, asked: Rotation | None = None) -> WebhookWithSecret:
    """Make a new secret; for a while the secrets of before sign too, so that receivers can change in between."""
    overlap = (asked or Rotation()).overlap_seconds
    return _with_secret(jobs.store.webhooks.rotate(webhook, keys.make(), overlap), keys)


@router.get("/{webhook}/deliveries", dependencies=[ADMIN], responses=documented(NOT_FOUND, INVALID))
def deliveries(
    webhook: Text, jobs: JobsHere, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> DeliveryPage:
    """What was sent to a webhook, or waits to be; ended ones are kept for a week."""
    jobs.store.webhooks.get(webhook)
    found, more = jobs.store.outbox.page(webhook, decode(cursor), limit)
    return DeliveryPage(items=[_delivery(each) for each in found], next=encode(more))


def _fields(webhook: Webhook) -> dict[str, object]:
    return {
        "id": webhook.id, "url": webhook.url, "events": webhook.events, "format": webhook.format,
        "created_at": webhook.created_at, "disabled_at": webhook.disabled_at,
        "disabled_reason": webhook.disabled_reason,
    }  # fmt: skip


def _with_secret(webhook: Webhook, keys: Keyring) -> WebhookWithSecret:
    return WebhookWithSecret(**_fields(webhook), secret=shown(keys.secret(webhook.secrets[0])))


def _delivery(each: Delivery) -> DeliveryBody:
    return DeliveryBody(
        id=each.id, event=each.event, job=each.facts["job"], state=each.state, attempts=each.attempts,
        status=each.status, error=each.error, created_at=each.created_at,
        next_attempt_at=each.next_at if each.state is DeliveryState.WAITING else None,
        ended_at=each.ended_at,
    )  # fmt: skip
