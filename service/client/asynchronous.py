"""The client whose methods are awaited. What it asks, and how patiently, is the other one's."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from service.client import calls
from service.client.answers import Artifact, Job, Results, Verdict
from service.client.calls import PATIENCE_SECONDS, TIMEOUT, Call, Patience
from service.errors import RemoteNotFound


class AsyncClient:
    """A service at a URL. Every method raises RemoteTrouble.

    Once the service has answered, its being away for a moment is waited out, for `patience` seconds a call.
    The key that lets us in is `api_key`, else that of SALIENCE_API_KEY.
    """

    def __init__(self, url: str, patience: float = PATIENCE_SECONDS, api_key: str | None = None) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT, headers=calls.authorization(api_key))
        self._patience, self._met = patience, False

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
        await self._ask(Call("GET", "/healthz"))

    async def submit(self, spec: Mapping[str, Any], key: str | None = None) -> Job:
        """Post a job. The same key with the same spec answers the same job; without one it is a new job."""
        return Job.of((await self._ask(calls.submit(spec, key))).json())

    async def job(self, job: str) -> Job:
        """The job as it stands."""
        return Job.of((await self._ask(calls.job(job))).json())

    async def follow(self, job: str) -> AsyncIterator[Job]:
        """The job as it stands, and again after each change until it has ended."""
        answer = await self._ask(calls.job(job))
        while True:
            seen = Job.of(answer.json())
            yield seen
            if seen.ended:
                return
            etag = answer.headers["ETag"]
            while (answer := await self._ask(calls.change(job, etag))).status_code == httpx.codes.NOT_MODIFIED:
                await asyncio.sleep(calls.rest_of(answer))

    async def wait(self, job: str) -> Job:
        """The job once it has ended."""
        return [seen async for seen in self.follow(job)][-1]

    async def cancel(self, job: str) -> Job:
        """Stop a job."""
        return Job.of((await self._ask(calls.job(job, "cancel", method="POST"))).json())

    async def delete(self, job: str) -> None:
        """Stop a job and have it forgotten, with its results."""
        await self._ask(calls.job(job, method="DELETE"))

    async def verdict(self, job: str) -> Verdict:
        """What the job's gate says of its results."""
        return Verdict.of((await self._ask(calls.job(job, "verdict"))).json())

    async def results(self, job: str) -> Results:
        """The results of a job that has succeeded."""
        return Results.of((await self._ask(calls.job(job, "results"))).json())

    async def report(self, job: str) -> str:
        """The report of a job that has succeeded, as HTML; its pictures are waited for, for a while."""
        return (await self._ask(calls.report(job))).text

    async def upload(self, file: Path) -> Artifact:
        """Keep a model's file or an archive with the service, unless it is there already."""
        digest = await asyncio.to_thread(calls.digest_of, file)
        try:
            return Artifact(**(await self._ask(calls.artifact(digest))).json())
        except RemoteNotFound:
            return Artifact(**(await self._ask(calls.upload(file, digest))).json())

    async def _ask(self, call: Call) -> httpx.Response:
        patience = Patience(self.url, self._patience, self._met)
        while True:
            outcome = await self._try(call)
            rest = patience.rest(outcome)
            self._met = patience.met
            if rest is None:
                assert isinstance(outcome, httpx.Response)
                return outcome
            await asyncio.sleep(rest)

    async def _try(self, call: Call) -> httpx.Response | Exception:
        content = _parts(call.file) if call.file else None
        try:
            return await self._http.request(
                call.method, call.path, params=call.params, headers=call.headers, json=call.json, content=content
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            return error


async def _parts(file: Path) -> AsyncIterator[bytes]:
    """A file's bytes, read where they keep nobody waiting."""
    parts = calls.parts(file)
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        yield part
