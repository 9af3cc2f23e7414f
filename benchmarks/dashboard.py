"""What the list of jobs costs a reader among 10,000 jobs, on SQLite and on Postgres.

    python -m benchmarks.dashboard

Prints the median and the slowest of 40 page loads, and what one takes of a core (with its client): of the newest
jobs, the last page, a label that few have, a name that none has, with policies beside them.
Exit status 0 if every median is below 0.2 s.
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

JOBS, LOADS, SLOWEST = 10_000, 40, 0.2
GATE = {"rules": [{"measure": "entropy", "op": ">=", "value": 0.5}]}


def main() -> int:
    """Returns the exit status."""
    medians = []
    with TemporaryDirectory() as name, postgres() as server, embedded.broker() as broker_url:
        folder = Path(name)
        ingredients = make_audit_inputs(folder)
        for url in (f"sqlite:///{folder}/jobs.sqlite", create_database(server)):
            fill(url, ingredients)
            settings = ServiceSettings(data_dir=folder, database_url=url, broker_url=broker_url)
            with ExitStack() as stack:
                client = stack.enter_context(httpx.Client(base_url=stack.enter_context(serving(create_app(settings)))))
                for what, path in paths():
                    computing = time.process_time()
                    times = [load(client, path) for _ in range(LOADS)]
                    computed = (time.process_time() - computing) / LOADS
                    medians.append(statistics.median(times))
                    message = f"median {medians[-1] * 1e3:.0f} ms, slowest {max(times) * 1e3:.0f} ms"
                    message += f", of a core {computed * 1e3:.0f} ms"
                    print(f"{url.partition(':')[0]}: {what}: {message}")
    return 0 if max(medians) < SLOWEST else 1


def fill(url: str, ingredients: AuditInputs) -> None:
    """Ended jobs of five names and two labels, every hundredth of another team and judged by a policy."""
    store = Store.open(url)
    schema.upgrade(store.database.engine)
    for name in ("release", "never-used"):
        store.policies.put(name, Policy.model_validate({"gate": GATE}))
    for number in range(JOBS):
        spec = ingredients.spec(**asked(number))
        store.jobs.accept(spec, spec_digest(spec), None)
    with store.database.write() as session:
        session.execute(update(JobRow).values(state="succeeded", started_at=JobRow.created_at, finished_at=time.time()))
    store.database.close()


def asked(number: int) -> dict[str, Any]:
    """What is particular of a job."""
    rare = number % 100 == 0
    labels = {"team": "few" if rare else "many", "build": str(number)}
    return {"name": f"detector {number % 5}", "labels": labels, "gate": {"policy": "release"} if rare else None}


def paths() -> Iterator[tuple[str, str]]:
    """What is looked at, and where it is."""
    yield "the newest", "/"
    yield "the oldest", f"/?{urlencode({'cursor': encode(50)})}"
    yield "a label that 1 % has", f"/?{urlencode({'label': 'team:few'})}"
    yield "a name that none has", f"/?{urlencode({'name': 'nobody'})}"


def load(client: httpx.Client, path: str) -> float:
    """Seconds that a page takes."""
    start = time.perf_counter()
    client.get(path, headers={"Accept": "text/html"}).raise_for_status()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
