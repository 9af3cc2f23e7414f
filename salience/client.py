"""HTTP client of a salience service. `make client` generates client.py from async_client.py."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from salience import requests as calls
from salience.errors import ResourceNotFound
from salience.models import Artifact, Job, Verdict
from salience.requests import RETRY_SECONDS, TIMEOUT, Call, RetryPolicy
from salience.results import Results


class Client:
    """Client of the service at `url`. Every method raises ClientError.

    Each call is retried for `retry_seconds` seconds while a service that has answered before is busy or unavailable.
    `api_key` authenticates the client; the default is the environment variable SALIENCE_API_KEY.
    """

    def __init__(self, url: str, retry_seconds: float = RETRY_SECONDS, api_key: str | None = None) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT, headers=calls.authorization(api_key))
        self._retry_seconds, self._has_answered = retry_seconds, False

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def url(self) -> str:
        """Base URL of the service, without a slash at its end."""
        return str(self._http.base_url).rstrip("/")

    def ping(self) -> None:
        """Check that the service answers."""
        self._request(Call("GET", "/healthz"))

    def submit(self, spec: Mapping[str, Any], key: str | None = None) -> Job:
        """Submit a job. Calls with the same key and spec return the same job. Without a key, each call makes a job."""
        return Job.from_json(self._json(calls.submit(spec, key)))

    def job(self, job: str) -> Job:
        """Return the current state of a job."""
        return Job.from_json(self._json(calls.job(job)))

    def follow(self, job: str) -> Iterator[Job]:
        """Yield the current state of a job, then its state after each change until the job has ended."""
        response = self._request(calls.job(job))
        while True:
            current = Job.from_json(response.json())
            yield current
            if current.ended:
                return
            change = calls.next_change(job, response.headers["ETag"])
            while (response := self._request(change)).status_code == httpx.codes.NOT_MODIFIED:
                time.sleep(calls.poll_pause(response))

    def wait(self, job: str) -> Job:
        """Wait until a job has ended, and return its final state."""
        for current in self.follow(job):
            ended = current
        return ended

    def cancel(self, job: str) -> Job:
        """Cancel a job."""
        return Job.from_json(self._json(calls.job(job, "cancel", method="POST")))

    def delete(self, job: str) -> None:
        """Cancel a job and delete it with its results."""
        self._request(calls.job(job, method="DELETE"))

    def verdict(self, job: str) -> Verdict:
        """Return the verdict of the job's gate."""
        return Verdict.from_json(self._json(calls.job(job, "verdict")))

    def results(self, job: str) -> Results:
        """Return the results of a job that has succeeded."""
        return Results.from_json(self._json(calls.job(job, "results")))

    def report(self, job: str) -> str:
        """Return the HTML report of a job that has succeeded. The service waits up to 30 s for the report's images."""
        response = self._request(calls.report(job))
        return response.text

    def upload(self, file: Path) -> Artifact:
        """Upload a model file or an archive, unless the service has it already."""
        digest = calls.sha256_of(file)
        try:
            return Artifact(**self._json(calls.artifact(digest)))
        except ResourceNotFound:
            return Artifact(**self._json(calls.upload(file, digest)))

    def _json(self, call: Call) -> Any:
        response = self._request(call)
        return response.json()

    def _request(self, call: Call) -> httpx.Response:
        policy = RetryPolicy(self.url, self._retry_seconds, self._has_answered)
        while True:
            outcome = self._send(call)
            pause = policy.pause_after(outcome)
            self._has_answered = policy.has_answered
            if pause is None:
                assert isinstance(outcome, httpx.Response)
                return outcome
            time.sleep(pause)

    def _send(self, call: Call) -> httpx.Response | Exception:
        content = calls.chunks(call.file) if call.file else None
        try:
            return self._http.request(
                call.method, call.path, params=call.params, headers=call.headers, json=call.json, content=content
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            return error
