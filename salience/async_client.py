"""The client whose methods are awaited. What it asks, and how patiently, is the other one's."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from salience import requests as calls
from salience.errors import ResourceNotFound
from salience.models import Artifact, Job, Results, Verdict
from salience.requests import RETRY_SECONDS, TIMEOUT, Call, RetryPolicy


class AsyncClient:
    """A service at a URL. Every method raises ClientError.

    Once the service has answered, its being away for a moment is waited out, for `retry_seconds` seconds a call.
    The key that lets us in is `api_key`, else that of SALIENCE_API_KEY.
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
        """Where the service is."""
        return str(self._http.base_url).rstrip("/")

    async def ping(self) -> None:
        """Ask whether the service is there."""
        await self._request(Call("GET", "/healthz"))

    async def submit(self, spec: Mapping[str, Any], key: str | None = None) -> Job:
        """Post a job. The same key with the same spec answers the same job; without one it is a new job."""
        return Job.from_json((await self._request(calls.submit(spec, key))).json())

    async def job(self, job: str) -> Job:
        """The job as it stands."""
        return Job.from_json((await self._request(calls.job(job))).json())

    async def follow(self, job: str) -> AsyncIterator[Job]:
        """The job as it stands, and again after each change until it has ended."""
        answer = await self._request(calls.job(job))
        while True:
            seen = Job.from_json(answer.json())
            yield seen
            if seen.ended:
                return
            etag = answer.headers["ETag"]
            while (answer := await self._request(calls.next_change(job, etag))).status_code == httpx.codes.NOT_MODIFIED:
                await asyncio.sleep(calls.poll_pause(answer))

    async def wait(self, job: str) -> Job:
        """The job once it has ended."""
        return [seen async for seen in self.follow(job)][-1]

    async def cancel(self, job: str) -> Job:
        """Stop a job."""
        return Job.from_json((await self._request(calls.job(job, "cancel", method="POST"))).json())

    async def delete(self, job: str) -> None:
        """Stop a job and have it forgotten, with its results."""
        await self._request(calls.job(job, method="DELETE"))

    async def verdict(self, job: str) -> Verdict:
        """What the job's gate says of its results."""
        return Verdict.from_json((await self._request(calls.job(job, "verdict"))).json())

    async def results(self, job: str) -> Results:
        """The results of a job that has succeeded."""
        return Results.from_json((await self._request(calls.job(job, "results"))).json())

    async def report(self, job: str) -> str:
        """The report of a job that has succeeded, as HTML; its pictures are waited for, for a while."""
        return (await self._request(calls.report(job))).text

    async def upload(self, file: Path) -> Artifact:
        """Keep a model's file or an archive with the service, unless it is there already."""
        digest = await asyncio.to_thread(calls.sha256_of, file)
        try:
            return Artifact(**(await self._request(calls.artifact(digest))).json())
        except ResourceNotFound:
            return Artifact(**(await self._request(calls.upload(file, digest))).json())

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
        content = _chunks(call.file) if call.file else None
        try:
            return await self._http.request(
                call.method, call.path, params=call.params, headers=call.headers, json=call.json, content=content
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            return error


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    """A file's bytes, read where they keep nobody waiting."""
    parts = calls.chunks(file)
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        yield part
