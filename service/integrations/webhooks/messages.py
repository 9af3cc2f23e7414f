"""A delivery as a request: its body, plain or as a CloudEvent, and its signed headers. Pure.

The body of a delivery is the same at every attempt; the time and the signatures are the attempt's.
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
    """What is posted."""

    headers: Mapping[str, str]
    body: bytes


def render_event(delivery: Delivery, form: Format, source: str) -> tuple[str, bytes]:
    """The media type and the body; `source` is the service's URL, of which links are told where it is known."""
    happened = _moment(delivery.created_at)
    if form == "cloudevents":
        event: Json = {
            "specversion": "1.0", "id": delivery.id, "source": source or "urn:salience", "time": happened,
            "type": f"salience.{delivery.event}", "subject": delivery.facts["job"],
            "datacontenttype": "application/json", "data": _data(delivery, source),
        }  # fmt: skip
        return "application/cloudevents+json", json.dumps(event).encode()
    plain = {"type": delivery.event, "timestamp": happened, "data": _data(delivery, source)}
    return "application/json", json.dumps(plain).encode()


def sign_request(delivery: Delivery, content: tuple[str, bytes], secrets: Sequence[bytes], now: float) -> Message:
    """The request that delivers a body, signed with each secret."""
    kind, body = content
    timestamp = str(int(now))
    headers = {
        "Content-Type": kind,
        "webhook-id": delivery.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(sign(secret, delivery.id, timestamp, body) for secret in secrets),
    }
    return Message(headers, body)


def _data(delivery: Delivery, source: str) -> Json:
    facts = delivery.facts
    job = f"{source}/v1/jobs/{facts['job']}"
    return {**facts, "finished_at": _moment(facts["finished_at"]), "links": {"self": job, "results": f"{job}/results"}}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
