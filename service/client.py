"""A client of the HTTP API, for the console script and for pipelines in Python. Loads without torch.

Once a service has answered, its being away for a moment (a restart, a database that comes back) is waited out.
A job is posted with a key, so that asking again cannot make a second one.
"""

import random
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from service.domain import OPEN_STATES, Json
from service.errors import RemoteRefused, RemoteUnreachable

WAIT_SECONDS = 30
PATIENCE_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
AWAY = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)


class Client:
    """A service at a URL. Every method raises RemoteRefused or RemoteUnreachable."""

    def __init__(self, url: str, patience: float = PATIENCE_SECONDS) -> None:
        self._http = httpx.Client(base_url=url, timeout=httpx.Timeout(30, read=WAIT_SECONDS + 30))
        self._patience, self._met = patience, False

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def url(self) -> str:
        """Where the service is."""
        return str(self._http.base_url).rstrip("/")

    def ping(self) -> None:
        """Ask whether the service is there."""
        self._ask("GET", "/healthz")

    def submit(self, spec: Mapping[str, Any], key: str | None = None) -> Json:
        """Post a job. The same key with the same spec answers the same job; without one it is a new job."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return _json(self._ask("POST", "/v1/jobs", json=spec, headers=headers))

    def job(self, job: str) -> Json:
        """The job as it stands."""
        return _json(self._ask("GET", _path(job)))

    def follow(self, job: str) -> Iterator[Json]:
        """The job as it stands, and again after each change until it has ended."""
        answer = self._ask("GET", _path(job))
        while True:
            seen = _json(answer)
            yield seen
            if seen["state"] not in OPEN_STATES:
                return
            answer = self._next(job, answer.headers["ETag"])

    def results(self, job: str) -> Json:
        """The results of a job that has succeeded."""
        return _json(self._ask("GET", f"{_path(job)}/results"))

    def _next(self, job: str, etag: str) -> httpx.Response:
        while True:
            headers = {"If-None-Match": etag}
            answer = self._ask("GET", _path(job), params={"wait": WAIT_SECONDS}, headers=headers)
            if answer.status_code != httpx.codes.NOT_MODIFIED:
                return answer

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        end, pause = time.monotonic() + self._patience, FIRST_PAUSE
        while True:
            last = time.monotonic() + pause > end
            answer = self._try(method, path, last, **request)
            if answer is not None:
                return answer
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _try(self, method: str, path: str, last: bool, **request: Any) -> httpx.Response | None:
        """The answer; None where the service is away, unless this is the last try or it has never been there."""
        try:
            answer = self._http.request(method, path, **request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            if self._met and not last:
                return None
            raise RemoteUnreachable(url=self._http.base_url, reason=error) from error
        self._met = True
        if answer.status_code in AWAY and not last:
            return None
        if answer.is_error:
            raise RemoteRefused(detail=_detail(answer))
        return answer


def _path(job: str) -> str:
    return f"/v1/jobs/{quote(job, safe='')}"


def _json(answer: httpx.Response) -> Json:
    body: Json = answer.json()
    return body


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}"
