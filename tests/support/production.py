"""A production deployment on this machine: Postgres with fsync, Redis, API processes and workers."""

import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from salience import Client
from salience.errors import ServiceUnreachable
from service.queue import parent_death
from service.queue.embedded import broker_binary
from tests.support.processes import START_SECONDS, Installation
from tests.support.servers import Cluster, cluster, free_port
from tests.support.supervised_process import SupervisedProcess

LEASE_SECONDS = 2.0
RETRY_SECONDS = 90.0
# The tests kill workers so often that a shard could exceed the default value of max_worker_crashes.
SETTINGS: Mapping[str, object] = {"lease_seconds": LEASE_SECONDS, "sweep_seconds": 0.5, "max_worker_crashes": 20}


@dataclass(frozen=True)
class Production:
    """All processes of a deployment. Each is restarted when it dies."""

    installation: Installation
    database: Cluster
    broker_port: int
    postgres: SupervisedProcess
    broker: SupervisedProcess
    apis: Sequence[SupervisedProcess]
    workers: Sequence[SupervisedProcess]
    clients: Sequence[Client]

    def flush(self) -> None:
        """Delete all messages in the broker."""
        with redis.Redis(port=self.broker_port) as client:
            client.flushall()


@contextmanager
def production(folder: Path, apis_wanted: int = 2, workers_wanted: int = 2) -> Iterator[Production]:
    """Run a deployment with these numbers of API processes and workers. Yields it when every API answers."""
    ports, broker_port = [free_port() for _ in range(apis_wanted)], free_port()
    with cluster() as database, ExitStack() as stack:
        postgres = stack.enter_context(SupervisedProcess(lambda: database.start(fsync=True)))
        broker = stack.enter_context(SupervisedProcess(lambda: start_broker(broker_port, folder)))
        database.await_start()
        installation = Installation.make(
            folder, database_url=f"{database.url}postgres", broker_url=f"redis://127.0.0.1:{broker_port}/0", **SETTINGS
        )
        installation.run("migrate")
        with (folder / "log.txt").open("ab") as log:

            def supervise(*arguments: object) -> SupervisedProcess:
                return stack.enter_context(SupervisedProcess(lambda: installation.spawn(log, *arguments)))

            apis = [supervise("serve", "--port", port) for port in ports]
            workers = [supervise("worker") for _ in range(workers_wanted)]
            clients = [stack.enter_context(_connect(f"http://127.0.0.1:{port}")) for port in ports]
            yield Production(installation, database, broker_port, postgres, broker, apis, workers, clients)
            database.await_start()
            _stop_together([*apis, *workers])


def _connect(url: str) -> Client:
    """Wait until the API at `url` answers. Returns a client that retries requests for RETRY_SECONDS."""
    client, end = Client(url, RETRY_SECONDS), time.monotonic() + START_SECONDS
    while True:
        try:
            client.ping()
            return client
        except ServiceUnreachable:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


def _stop_together(processes: Sequence[SupervisedProcess]) -> None:
    threads = [threading.Thread(target=each.__exit__) for each in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start_broker(port: int, folder: Path) -> "subprocess.Popen[bytes]":
    """Start a Redis-compatible server without persistence. It is killed when this thread ends."""
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    return subprocess.Popen(parent_death.command([broker_binary(), *options]), stdout=subprocess.DEVNULL)
