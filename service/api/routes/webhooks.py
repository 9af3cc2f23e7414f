"""Routes for webhooks: create, list and delete them, rotate their secrets, and list their deliveries."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

from service.api.dependencies import ADMIN
from service.api.errors import documented
from service.api.pagination import decode, encode
from service.api.routes.jobs import CurrentJobs, Text
from service.domain.webhook import EVENTS, Delivery, DeliveryState, Event, Format, Webhook
from service.errors import naming_field
from service.integrations.webhooks.secrets import SecretKeys, display_secret
from service.measures.strict_model import StrictModel
from service.net.http_client import find_url_problem

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

CREATED, NO_CONTENT = HTTPStatus.CREATED, HTTPStatus.NO_CONTENT
NOT_FOUND, CONFLICT, INVALID = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY
NOT_CONFIGURED = HTTPStatus.NOT_IMPLEMENTED
DAY = 86_400


def _check_url(url: str) -> str:
    reason = find_url_problem(url)
    if reason:
        raise PydanticCustomError("address", "{reason}", {"reason": reason})
    return url


class NewWebhook(StrictModel):
    """A webhook to create."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(_check_url)]
    """URL that messages are sent to."""
    events: Annotated[list[Event], Field(min_length=1)] = list(EVENTS.values())  # noqa: RUF012  # pydantic copies it
    """Events that messages are sent about."""
    format: Format = "standard"
    """`standard`, or `cloudevents` for a CloudEvents 1.0 envelope."""


class Rotation(StrictModel):
    """Options for a new secret."""

    overlap_seconds: Annotated[float, Field(ge=0, le=30 * DAY)] = DAY
    """Seconds during which messages are also signed with the older secrets."""


class WebhookBody(BaseModel):
    """A webhook."""

    id: str = Field(description="ID of the webhook.")
    url: str = Field(description="URL that messages are sent to.")
    events: list[Event] = Field(description="Events that messages are sent about.")
    format: Format = Field(description="Format of the messages.")
    created_at: datetime = Field(description="When the webhook was created.")
    disabled_at: datetime | None = Field(description="When the webhook was disabled; null if it is active.")
    disabled_reason: str | None = Field(description="Why the webhook was disabled.")


class WebhookWithSecret(WebhookBody):
    """A webhook and its newest secret. Only the response that creates a secret contains it."""

    secret: str = Field(description="The secret that receivers verify with: `whsec_` and base64.")


class WebhookList(BaseModel):
    """All webhooks, oldest first."""

    items: list[WebhookBody] = Field(description="The webhooks.")


class DeliveryBody(BaseModel):
    """A message to a webhook."""

    id: str = Field(description="ID of the delivery: the `webhook-id` of each attempt.")
    event: Event = Field(description="The event.")
    job: str = Field(description="ID of the job.")
    state: DeliveryState = Field(description="State of the delivery.")
    attempts: int = Field(description="Number of attempts so far.")
    status: int | None = Field(description="HTTP status of the last answer; null if there was none.")
    error: str | None = Field(description="What went wrong in the last attempt.")
    created_at: datetime = Field(description="When the delivery was created.")
    next_attempt_at: datetime | None = Field(description="When the next attempt is due; null without one.")
    ended_at: datetime | None = Field(description="When the delivery succeeded or was given up.")


class DeliveryPage(BaseModel):
    """A page of deliveries, newest first."""

    items: list[DeliveryBody] = Field(description="The deliveries.")
    next: str | None = Field(description="Cursor of the next page; null on the last page.")


def get_secret_keys(request: Request) -> SecretKeys:
    """Return the operator's keys, which encrypt the secrets of webhooks."""
    keys: SecretKeys = request.app.state.secret_keys
    return keys


CurrentKeys = Annotated[SecretKeys, Depends(get_secret_keys)]


@router.post("", dependencies=[ADMIN], status_code=CREATED, responses=documented(CONFLICT, INVALID, NOT_CONFIGURED))
def create(new: NewWebhook, jobs: CurrentJobs, keys: CurrentKeys) -> WebhookWithSecret:
    """Create a webhook by the Standard Webhooks specification. Only this response contains its secret."""
    with naming_field("url"):
        jobs.inputs.hosts.check_literal(new.url)
    webhook = jobs.store.webhooks.add(new.url, new.events, new.format, keys.create_secret())
    return _with_secret(webhook, keys)


@router.get("", dependencies=[ADMIN])
def list_all(jobs: CurrentJobs) -> WebhookList:
    """List all webhooks, without their secrets."""
    return WebhookList(items=[WebhookBody(**_fields(each)) for each in jobs.store.webhooks.all()])


@router.get("/{webhook}", dependencies=[ADMIN], responses=documented(NOT_FOUND, INVALID))
def get(webhook: Text, jobs: CurrentJobs) -> WebhookBody:
    """Get a webhook, without its secret."""
    return WebhookBody(**_fields(jobs.store.webhooks.get(webhook)))


@router.delete("/{webhook}", dependencies=[ADMIN], status_code=NO_CONTENT, responses=documented(NOT_FOUND, INVALID))
def remove(webhook: Text, jobs: CurrentJobs) -> None:
    """Delete a webhook and its deliveries."""
    jobs.store.webhooks.remove(webhook)


@router.post("/{webhook}/rotate", dependencies=[ADMIN], responses=documented(NOT_FOUND, INVALID, NOT_CONFIGURED))
def rotate(webhook: Text, jobs: CurrentJobs, keys: CurrentKeys, rotation: Rotation | None = None) -> WebhookWithSecret:
    """Make a new secret. For `overlap_seconds`, messages are also signed with the older secrets."""
    overlap = (rotation or Rotation()).overlap_seconds
    return _with_secret(jobs.store.webhooks.rotate(webhook, keys.create_secret(), overlap), keys)


@router.get("/{webhook}/deliveries", dependencies=[ADMIN], responses=documented(NOT_FOUND, INVALID))
def deliveries(
    webhook: Text, jobs: CurrentJobs, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> DeliveryPage:
    """List the sent and the waiting deliveries of a webhook. Ended deliveries are listed for a week."""
    jobs.store.webhooks.get(webhook)
    found, next_row = jobs.store.outbox.page(webhook, decode(cursor), limit)
    return DeliveryPage(items=[_delivery(each) for each in found], next=encode(next_row))


def _fields(webhook: Webhook) -> dict[str, object]:
    return {
        "id": webhook.id, "url": webhook.url, "events": webhook.events, "format": webhook.format,
        "created_at": webhook.created_at, "disabled_at": webhook.disabled_at,
        "disabled_reason": webhook.disabled_reason,
    }  # fmt: skip


def _with_secret(webhook: Webhook, keys: SecretKeys) -> WebhookWithSecret:
    return WebhookWithSecret(**_fields(webhook), secret=display_secret(keys.decrypt(webhook.secrets[0])))


def _delivery(each: Delivery) -> DeliveryBody:
    return DeliveryBody(
        id=each.id, event=each.event, job=each.facts["job"], state=each.state, attempts=each.attempts,
        status=each.status, error=each.error, created_at=each.created_at,
        next_attempt_at=each.next_at if each.state is DeliveryState.WAITING else None,
        ended_at=each.ended_at,
    )  # fmt: skip
