"""Load time of the list of jobs with 10,000 jobs, on SQLite and on Postgres.

    python -m benchmarks.dashboard

For each page, prints the median and the maximum of 40 loads, and the processor time of one load including the client.
The pages are the newest jobs, the oldest jobs, a rare label, and a name without jobs.
The exit status is 0 if every median is below 0.2 s.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import httpx
from sqlalchemy import update

from service.api.pagination import encode
from service.domain.policy import Policy
from service.main import create_app
from service.queue import embedded
from service.settings import ServiceSettings
from service.spec.model import spec_digest
from service.storage import Store
from service.storage import migrate as schema
from service.storage.tables.jobs import JobRow
from tests.conftest import create_database
from tests.support.jobs import AuditInputs, make_audit_inputs
from tests.support.servers import postgres, serving

JOBS, LOADS, MAX_SECONDS = 10_000, 40, 0.2
GATE = {"rules": [{"measure": "entropy", "op": ">=", "value": 0.5}]}


def main() -> int:
    """Run the benchmark. Returns the exit status."""
    medians = []
    with TemporaryDirectory() as name, postgres() as server, embedded.broker() as broker_url:
        folder = Path(name)
        ingredients = make_audit_inputs(folder)
        for url in (f"sqlite:///{folder}/jobs.sqlite", create_database(server)):
            fill(url, ingredients)
            settings = ServiceSettings(data_dir=folder, database_url=url, broker_url=broker_url)
            with ExitStack() as stack:
                client = stack.enter_context(httpx.Client(base_url=stack.enter_context(serving(create_app(settings)))))
                for page, path in paths():
                    processor_start = time.process_time()
                    times = [load(client, path) for _ in range(LOADS)]
                    processor_seconds = (time.process_time() - processor_start) / LOADS
                    medians.append(statistics.median(times))
                    times_text = f"median {medians[-1] * 1e3:.0f} ms, slowest {max(times) * 1e3:.0f} ms"
                    times_text += f", processor {processor_seconds * 1e3:.0f} ms"
                    print(f"{url.partition(':')[0]}: {page}: {times_text}")
    return 0 if max(medians) < MAX_SECONDS else 1


def fill(url: str, ingredients: AuditInputs) -> None:
    """Store ended jobs with five names and two labels. Every hundredth belongs to another team and has a policy."""
    store = Store.open(url)
    schema.upgrade(store.database.engine)
    for name in ("release", "never-used"):
        store.policies.put(name, Policy.model_validate({"gate": GATE}))
    for number in range(JOBS):
        spec = ingredients.spec(**job_fields(number))
        store.jobs.accept(spec, spec_digest(spec), None)
    with store.database.write() as session:
        session.execute(update(JobRow).values(state="succeeded", started_at=JobRow.created_at, finished_at=time.time()))
    store.database.close()


def job_fields(number: int) -> dict[str, Any]:
    """Return the name, the labels and the gate of a job."""
    rare = number % 100 == 0
    labels = {"team": "few" if rare else "many", "build": str(number)}
    return {"name": f"detector {number % 5}", "labels": labels, "gate": {"policy": "release"} if rare else None}


def paths() -> Iterator[tuple[str, str]]:
    """Yield the name and the path of each page."""
    yield "the newest", "/"
    yield "the oldest", f"/?{urlencode({'cursor': encode(50)})}"
    yield "a label of 1 % of the jobs", f"/?{urlencode({'label': 'team:few'})}"
    yield "a name without jobs", f"/?{urlencode({'name': 'nobody'})}"


def load(client: httpx.Client, path: str) -> float:
    """Load a page. Returns the seconds."""
    start = time.perf_counter()
    client.get(path, headers={"Accept": "text/html"}).raise_for_status()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
