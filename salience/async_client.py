"""HTTP client of a salience service. `make client` generates client.py from async_client.py."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from salience import requests as calls
from salience.errors import ResourceNotFound
from salience.models import Artifact, Job, Verdict
from salience.requests import RETRY_SECONDS, TIMEOUT, Call, RetryPolicy
from salience.results import Results


class AsyncClient:
    """Client of the service at `url`. Every method raises ClientError.

    Each call is retried for `retry_seconds` seconds while a service that has answered before is busy or unavailable.
    `api_key` authenticates the client; the default is the environment variable SALIENCE_API_KEY.
    """

    def __init__(self, url: str, retry_seconds: float = RETRY_SECONDS, api_key: str | None = None) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT, headers=calls.authorization(api_key))
        self._retry_seconds, self._has_answered = retry_seconds, False

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    @property
    def url(self) -> str:
        """Base URL of the service, without a slash at its end."""
        return str(self._http.base_url).rstrip("/")

    async def ping(self) -> None:
        """Check that the service answers."""
        await self._request(Call("GET", "/healthz"))

    async def submit(self, spec: Mapping[str, Any], key: str | None = None) -> Job:
        """Submit a job. Calls with the same key and spec return the same job. Without a key, each call makes a job."""
        return Job.from_json(await self._json(calls.submit(spec, key)))

    async def job(self, job: str) -> Job:
        """Return the current state of a job."""
        return Job.from_json(await self._json(calls.job(job)))

    async def follow(self, job: str) -> AsyncIterator[Job]:
        """Yield the current state of a job, then its state after each change until the job has ended."""
        response = await self._request(calls.job(job))
        while True:
            current = Job.from_json(response.json())
            yield current
            if current.ended:
                return
            change = calls.next_change(job, response.headers["ETag"])
            while (response := await self._request(change)).status_code == httpx.codes.NOT_MODIFIED:
                await asyncio.sleep(calls.poll_pause(response))

    async def wait(self, job: str) -> Job:
        """Wait until a job has ended, and return its final state."""
        async for current in self.follow(job):
            ended = current
        return ended

    async def cancel(self, job: str) -> Job:
        """Cancel a job."""
        return Job.from_json(await self._json(calls.job(job, "cancel", method="POST")))

    async def delete(self, job: str) -> None:
        """Cancel a job and delete it with its results."""
        await self._request(calls.job(job, method="DELETE"))

    async def verdict(self, job: str) -> Verdict:
        """Return the verdict of the job's gate."""
        return Verdict.from_json(await self._json(calls.job(job, "verdict")))

    async def results(self, job: str) -> Results:
        """Return the results of a job that has succeeded."""
        return Results.from_json(await self._json(calls.job(job, "results")))

    async def report(self, job: str) -> str:
        """Return the HTML report of a job that has succeeded. The service waits up to 30 s for the report's images."""
        response = await self._request(calls.report(job))
        return response.text

    async def upload(self, file: Path) -> Artifact:
        """Upload a model file or an archive, unless the service has it already."""
        digest = await calls.async_sha256_of(file)
        try:
            return Artifact(**await self._json(calls.artifact(digest)))
        except ResourceNotFound:
            return Artifact(**await self._json(calls.upload(file, digest)))

    async def _json(self, call: Call) -> Any:
        response = await self._request(call)
        return response.json()

    async def _request(self, call: Call) -> httpx.Response:
        policy = RetryPolicy(self.url, self._retry_seconds, self._has_answered)
        while True:
            outcome = await self._send(call)
            pause = policy.pause_after(outcome)
            self._has_answered = policy.has_answered
            if pause is None:
                assert isinstance(outcome, httpx.Response)
                return outcome
            await asyncio.sleep(pause)

    async def _send(self, call: Call) -> httpx.Response | Exception:
        content = calls.async_chunks(call.file) if call.file else None
        try:
            return await self._http.request(
                call.method, call.path, params=call.params, headers=call.headers, json=call.json, content=content
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            return error
