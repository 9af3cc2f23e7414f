"""Requests and retry policy that both clients share. Reads files, but sends nothing."""

import asyncio
import hashlib
import os
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
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
    """One HTTP request. `file` is sent in parts; each attempt sends it from its beginning."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    file: Path | None = None


def authorization(api_key: str | None) -> Mapping[str, str]:
    """Return the authorization header for this key or for SALIENCE_API_KEY; no header without a key."""
    key = api_key or os.environ.get(API_KEY_VARIABLE, "")
    return {"Authorization": f"Bearer {key.strip()}"} if key.strip() else {}


def submit(spec: Mapping[str, Any], key: str | None) -> Call:
    """Request that submits a job. A random idempotency key replaces None, so that a retry makes no second job."""
    return Call("POST", "/v1/jobs", headers={"Idempotency-Key": key or str(uuid4())}, json=spec)


def job(number: str, *segments: str, method: str = "GET") -> Call:
    """Request for a job, or for the resource at further path segments below the job."""
    return Call(method, "/".join(("/v1/jobs", quote(number, safe=""), *segments)))


def next_change(number: str, etag: str) -> Call:
    """Request that waits up to WAIT_SECONDS until the job no longer has this ETag."""
    return Call("GET", job(number).path, params={"wait": WAIT_SECONDS}, headers={"If-None-Match": etag})


def report(number: str) -> Call:
    """Request for a job's report that waits up to WAIT_SECONDS for the report's images."""
    return Call("GET", job(number, "report").path, params={"wait": WAIT_SECONDS})


def artifact(digest: str) -> Call:
    """Request for the metadata of an upload."""
    return Call("GET", f"/v1/artifacts/{digest}")


def upload(file: Path, digest: str) -> Call:
    """Request that uploads a file with this SHA-256."""
    return Call("PUT", "/v1/artifacts", params={"sha256": digest}, file=file)


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def chunks(file: Path) -> Iterator[bytes]:
    """Yield the content of a file in chunks of CHUNK_BYTES."""
    with file.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk


async def async_sha256_of(file: Path) -> str:
    """Compute `sha256_of` in a thread."""
    return await asyncio.to_thread(sha256_of, file)


async def async_chunks(file: Path) -> AsyncIterator[bytes]:
    """Yield `chunks`, each read in a thread."""
    parts = chunks(file)
    while (chunk := await asyncio.to_thread(next, parts, None)) is not None:
        yield chunk


@dataclass
class RetryPolicy:
    """Decides whether and when one call to `url` is retried, for `seconds` seconds in all.

    Connection errors are retried only if the service has answered before (`has_answered`), since a service that has
    never answered is probably not running.
    """

    url: str
    seconds: float
    has_answered: bool
    pause: float = FIRST_PAUSE
    start: float = field(default_factory=time.monotonic)

    def pause_after(self, outcome: httpx.Response | Exception) -> float | None:
        """Return the seconds until the next attempt, or None if the response is the result. Raises ClientError."""
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
        pause, self.pause = self.pause * random.uniform(0.5, 1.0), min(2 * self.pause, MAX_PAUSE)
        return pause

    def _is_over(self, pause: float) -> bool:
        return time.monotonic() + pause > self.start + self.seconds


def poll_pause(unchanged: httpx.Response) -> float:
    """Return the seconds until the next poll of an unchanged job.

    It is 0 if the service waited before it answered, otherwise the value of its Retry-After header.
    """
    held = unchanged.elapsed.total_seconds() >= WAIT_SECONDS / 2
    return 0.0 if held else retry_after(unchanged.headers.get("Retry-After", "")) or FIRST_PAUSE


def retry_after(header: str) -> float:
    """Return the seconds in a Retry-After header, which is a number or a date; 0 without a valid value."""
    try:
        seconds = float(header)
    except ValueError:
        return _until(header)
    return seconds if 0 <= seconds < float("inf") else 0.0


def _until(date: str) -> float:
    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
