"""The client whose methods answer when they are done."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from service.client import calls
from service.client.answers import Artifact, Job, Results, Verdict
from service.client.calls import PATIENCE_SECONDS, TIMEOUT, Call, Patience
from service.errors import RemoteNotFound


class Client:
    """A service at a URL. Every method raises RemoteTrouble.

    Once the service has answered, its being away for a moment is waited out, for `patience` seconds a call.
    The key that lets us in is `api_key`, else that of SALIENCE_API_KEY.
    """

    def __init__(self, url: str, patience: float = PATIENCE_SECONDS, api_key: str | None = None) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT, headers=calls.authorization(api_key))
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
        self._ask(Call("GET", "/healthz"))

    def submit(self, spec: Mapping[str, Any], key: str | None = None) -> Job:
        """Post a job. The same key with the same spec answers the same job; without one it is a new job."""
        return Job.of(self._ask(calls.submit(spec, key)).json())

    def job(self, job: str) -> Job:
        """The job as it stands."""
        return Job.of(self._ask(calls.job(job)).json())

    def follow(self, job: str) -> Iterator[Job]:
        """The job as it stands, and again after each change until it has ended."""
        answer = self._ask(calls.job(job))
        while True:
            seen = Job.of(answer.json())
            yield seen
            if seen.ended:
                return
            etag = answer.headers["ETag"]
            while (answer := self._ask(calls.change(job, etag))).status_code == httpx.codes.NOT_MODIFIED:
                time.sleep(calls.rest_of(answer))

    def wait(self, job: str) -> Job:
        """The job once it has ended."""
        *_, ended = self.follow(job)
        return ended

    def cancel(self, job: str) -> Job:
        """Stop a job."""
        return Job.of(self._ask(calls.job(job, "cancel", method="POST")).json())

    def delete(self, job: str) -> None:
        """Stop a job and have it forgotten, with its results."""
        self._ask(calls.job(job, method="DELETE"))

    def verdict(self, job: str) -> Verdict:
        """What the job's gate says of its results."""
        return Verdict.of(self._ask(calls.job(job, "verdict")).json())

    def results(self, job: str) -> Results:
        """The results of a job that has succeeded."""
        return Results.of(self._ask(calls.job(job, "results")).json())

    def report(self, job: str) -> str:
        """The report of a job that has succeeded, as HTML; its pictures are waited for, for a while."""
        return self._ask(calls.report(job)).text

    def upload(self, file: Path) -> Artifact:
        """Keep a model's file or an archive with the service, unless it is there already."""
        digest = calls.digest_of(file)
        try:
            return Artifact(**self._ask(calls.artifact(digest)).json())
        except RemoteNotFound:
            return Artifact(**self._ask(calls.upload(file, digest)).json())

    def _ask(self, call: Call) -> httpx.Response:
        patience = Patience(self.url, self._patience, self._met)
        while True:
            outcome = self._try(call)
            rest = patience.rest(outcome)
            self._met = patience.met
            if rest is None:
                assert isinstance(outcome, httpx.Response)
                return outcome
            time.sleep(rest)

    def _try(self, call: Call) -> httpx.Response | Exception:
        content = calls.parts(call.file) if call.file else None
        try:
            return self._http.request(
                call.method, call.path, params=call.params, headers=call.headers, json=call.json, content=content
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            return error
