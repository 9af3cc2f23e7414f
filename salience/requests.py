"""What is asked of the service, and for how long: all that the two clients share. Reads files, and sends nothing."""

import hashlib
import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from salience.errors import ServiceUnreachable
from salience.problems import error_from

WAIT_SECONDS = 30
RETRY_SECONDS = 60.0
FIRST_PAUSE, MAX_PAUSE = 0.2, 5.0
CHUNK_BYTES = 2**20
TIMEOUT = httpx.Timeout(30, read=WAIT_SECONDS + 30)
API_KEY_VARIABLE = "SALIENCE_API_KEY"
RETRYABLE = (
    httpx.codes.TOO_MANY_REQUESTS, httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One request; a file is sent in parts, from its beginning at every try."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    file: Path | None = None


def authorization(api_key: str | None) -> Mapping[str, str]:
    """The header that lets us in: with this key, else with that of SALIENCE_API_KEY; none without either."""
    key = api_key or os.environ.get(API_KEY_VARIABLE, "")
    return {"Authorization": f"Bearer {key.strip()}"} if key.strip() else {}


def submit(spec: Mapping[str, Any], key: str | None) -> Call:
    """Post a job; without a key of the caller's, with one of its own, so that a second try makes no second job."""
    return Call("POST", "/v1/jobs", headers={"Idempotency-Key": key or str(uuid4())}, json=spec)


def job(number: str, *more: str, method: str = "GET") -> Call:
    """A job, or what lies below it."""
    return Call(method, "/".join(("/v1/jobs", quote(number, safe=""), *more)))


def next_change(number: str, etag: str) -> Call:
    """A job once it is not what it was under this tag."""
    return Call("GET", job(number).path, params={"wait": WAIT_SECONDS}, headers={"If-None-Match": etag})


def report(number: str) -> Call:
    """A job's report, once its pictures are there."""
    return Call("GET", job(number, "report").path, params={"wait": WAIT_SECONDS})


def artifact(digest: str) -> Call:
    """What is known of an upload."""
    return Call("GET", f"/v1/artifacts/{digest}")


def upload(file: Path, digest: str) -> Call:
    """Send a file whose SHA-256 is this."""
    return Call("PUT", "/v1/artifacts", params={"sha256": digest}, file=file)


def sha256_of(file: Path) -> str:
    """A file's SHA-256, in hexadecimal digits."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def chunks(file: Path) -> Iterator[bytes]:
    """A file's bytes, some at a time."""
    with file.open("rb") as source:
        while part := source.read(CHUNK_BYTES):
            yield part


@dataclass
class RetryPolicy:
    """How long one call is tried, and how long to rest between tries.

    A service that has answered before (`has_answered`) may be away for a moment; one that never has is not waited for.
    """

    url: str
    seconds: float
    has_answered: bool
    pause: float = FIRST_PAUSE
    start: float = field(default_factory=time.monotonic)

    def pause_after(self, outcome: httpx.Response | Exception) -> float | None:
        """Seconds to rest before the next try; None where the answer counts. Raises ClientError."""
        if isinstance(outcome, Exception):
            if not self.has_answered or self._is_over(self.pause):
                raise ServiceUnreachable(url=self.url, reason=outcome) from outcome
        else:
            self.has_answered = True
            requested = retry_after(outcome.headers.get("Retry-After", ""))
            if outcome.status_code not in RETRYABLE or self._is_over(max(requested, self.pause)):
                if outcome.is_error or outcome.has_redirect_location:
                    raise error_from(outcome)
                return None
            self.pause = max(self.pause, requested)
            if requested:
                return self.pause * random.uniform(1.0, 1.25)
        rest, self.pause = self.pause * random.uniform(0.5, 1.0), min(2 * self.pause, MAX_PAUSE)
        return rest

    def _is_over(self, pause: float) -> bool:
        return time.monotonic() + pause > self.start + self.seconds


def poll_pause(unchanged: httpx.Response) -> float:
    """Seconds to rest where a job has not changed: none if the service held the request, else what it asks for."""
    held = unchanged.elapsed.total_seconds() >= WAIT_SECONDS / 2
    return 0.0 if held else retry_after(unchanged.headers.get("Retry-After", "")) or FIRST_PAUSE


def retry_after(message: str) -> float:
    """Seconds that a Retry-After header asks for, written as a number or a date; 0 where it asks for none."""
    try:
        seconds = float(message)
    except ValueError:
        return _until(message)
    return seconds if 0 <= seconds < float("inf") else 0.0


def _until(date: str) -> float:
    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
