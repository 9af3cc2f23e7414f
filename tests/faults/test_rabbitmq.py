"""Tests of the service with RabbitMQ as its broker instead of Redis."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service.queue.notifier import WorkNotifier
from tests.support.job_ledger import run_without_faults, without_identity
from tests.support.jobs import AuditInputs
from tests.support.processes import Installation
from tests.support.rabbitmq import rabbit
from tests.support.supervised_process import SupervisedProcess


@pytest.mark.timeout(300)  # the test starts RabbitMQ and a worker twice each, and an API
def test_a_job_succeeds_although_rabbitmq_and_the_worker_are_killed(ingredients: AuditInputs, tmp_path: Path) -> None:
    body = ingredients.body(shard_size=1)
    wanted = run_without_faults(body, tmp_path)
    with rabbit(tmp_path) as made, SupervisedProcess(made.start) as broker:
        made.await_start()
        check_queue_length(made.url)
        installation = Installation.make(tmp_path, broker_url=made.url, lease_seconds=2, sweep_seconds=0.5)
        installation.run("migrate")
        with installation.serve(), httpx.Client(base_url=installation.url, timeout=60) as api:
            job = api.post("/v1/jobs", json=body).raise_for_status().headers["Location"]
            with (
                (tmp_path / "log.txt").open("ab") as log,
                SupervisedProcess(lambda: installation.spawn(log, "worker")) as worker,
            ):
                while not api.get(job).json()["progress"]["images_done"]:
                    time.sleep(0.1)
                assert broker.signal(signal.SIGKILL) and worker.signal(signal.SIGKILL)
                while (state := api.get(job, params={"wait": 30}).json()["state"]) == "running":
                    pass
            assert state == "succeeded"
            assert without_identity(api.get(f"{job}/results").json()) == wanted


def check_queue_length(url: str) -> None:
    """Check that `notify(n)` adds n notifications to the queue, and that `refill(n)` fills it up to n."""
    notifier = WorkNotifier(url)
    calls: list[tuple[int, Callable[[], None]]] = [
        (2, lambda: notifier.notify(2)),
        (5, lambda: notifier.refill(5)),
        (5, lambda: notifier.refill(3)),
    ]
    for wanted, call in calls:
        call()
        while notifier.length() < wanted:  # RabbitMQ updates the length of a queue with a delay
            time.sleep(0.01)
        assert notifier.length() == wanted
    notifier.close()
