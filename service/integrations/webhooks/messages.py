"""Builds the HTTP request of a delivery: its body, plain or as a CloudEvent, and its signed headers. Pure.

The body of a delivery is the same at every attempt; time and signatures differ.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from service.domain.webhook import Delivery, Format
from service.integrations.signatures import sign
from service.spec.model import Json


@dataclass(frozen=True)
class Message:
    """Headers and body of a request."""

    headers: Mapping[str, str]
    body: bytes


def render_event(delivery: Delivery, form: Format, source: str) -> tuple[str, bytes]:
    """Return media type and body. `source` is the URL of the service, used in links; it may be empty."""
    time = _format_time(delivery.created_at)
    if form == "cloudevents":
        event: Json = {
            "specversion": "1.0", "id": delivery.id, "source": source or "urn:salience", "time": time,
            "type": f"salience.{delivery.event}", "subject": delivery.facts["job"],
            "datacontenttype": "application/json", "data": _data(delivery, source),
        }  # fmt: skip
        return "application/cloudevents+json", json.dumps(event).encode()
    plain = {"type": delivery.event, "timestamp": time, "data": _data(delivery, source)}
    return "application/json", json.dumps(plain).encode()


def sign_request(delivery: Delivery, content: tuple[str, bytes], secrets: Sequence[bytes], now: float) -> Message:
    """Return the request for a media type and body, signed with each secret."""
    media_type, body = content
    timestamp = str(int(now))
    headers = {
        "Content-Type": media_type,
        "webhook-id": delivery.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(sign(secret, delivery.id, timestamp, body) for secret in secrets),
    }
    return Message(headers, body)


def _data(delivery: Delivery, source: str) -> Json:
    facts = delivery.facts
    job = f"{source}/v1/jobs/{facts['job']}"
    return {
        **facts,
        "finished_at": _format_time(facts["finished_at"]),
        "links": {"self": job, "results": f"{job}/results"},
    }


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
