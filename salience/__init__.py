"""Client of the HTTP API, for Python pipelines and the console script. Needs no torch.

    from salience import Client

    with Client("http://127.0.0.1:8000") as client:
        job = client.wait(client.submit(spec).id)
        print(client.results(job.id).frame())

`AsyncClient` has the same methods, to be awaited. Every failure raises a ClientError of `salience.errors`.
"""

from salience.async_client import AsyncClient
from salience.client import Client
from salience.errors import ClientError
from salience.models import Artifact, Check, Job, JobState, Outcome, Verdict
from salience.results import Results

__all__ = [
    "Artifact",
    "AsyncClient",
    "Check",
    "Client",
    "ClientError",
    "Job",
    "JobState",
    "Outcome",
    "Results",
    "Verdict",
]
