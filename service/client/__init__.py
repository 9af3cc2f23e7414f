"""A client of the HTTP API, for pipelines in Python and for the console script. Loads without torch.

    from service.client import Client

    with Client("http://127.0.0.1:8000") as client:
        job = client.wait(client.submit(spec).id)
        print(client.results(job.id).frame())

`AsyncClient` does the same with `await`. What goes wrong is a RemoteTrouble of `service.errors`.
"""

from service.client.answers import Artifact, Job, Results, Verdict
from service.client.asynchronous import AsyncClient
from service.client.synchronous import Client

__all__ = ["Artifact", "AsyncClient", "Client", "Job", "Results", "Verdict"]
