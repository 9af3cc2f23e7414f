"""A client of the HTTP API, for the console script and for pipelines in Python. Loads without torch."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from service.domain import OPEN_STATES, Json
from service.errors import RemoteRefused, RemoteUnreachable

WAIT_SECONDS = 30


class Client:
    """A service at a URL. Every method raises RemoteRefused or RemoteUnreachable."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=httpx.Timeout(30, read=WAIT_SECONDS + 30))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def submit(self, spec: Mapping[str, Any], key: str | None = None) -> Json:
        """Post a job. The same key with the same spec answers the same job."""
        headers = {"Idempotency-Key": key} if key else {}
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
        try:
            answer = self._http.request(method, path, **request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise RemoteUnreachable(url=self._http.base_url, reason=error) from error
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
