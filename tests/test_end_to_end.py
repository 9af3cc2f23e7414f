"""Runs whole audits by command and over HTTP, with embedded and external servers, and while processes crash."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import create_database
from tests.support.jobs import AuditInputs
from tests.support.processes import Installation, await_death, process_tree

LEASE_SECONDS = 1.0


def numbers(results: str) -> dict[str, Any]:
    """Return a results document without the job's ID."""
    return {**json.loads(results), "job": None}


def long_body(ingredients: AuditInputs) -> dict[str, Any]:
    """Return the spec of a job that takes several seconds and has many shards."""
    cohort = ingredients.cohort("long", 0, 1, 2)
    cohort["model"]["preprocessing"]["size"] = [96, 96]
    return ingredients.body(cohorts=[cohort], shard_size=2, options={})


def await_progress(installation: Installation, job: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if httpx.get(f"{installation.url}/v1/jobs/{job}").json()["progress"]["images_done"]:
            return
        time.sleep(0.05)
    pytest.fail("the job made no progress")


def await_release(database: str) -> None:
    """Wait until no worker holds a shard."""
    end = time.monotonic() + 60
    with psycopg.connect(database, autocommit=True) as connection:
        while connection.execute("SELECT 1 FROM shards WHERE state = 'running'").fetchone():
            assert time.monotonic() < end
            time.sleep(0.02)


def test_the_embedded_service_gives_the_results_of_a_local_audit_and_imports_nothing_from_its_folder(
    ingredients: AuditInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("service", "worker", "celeryconfig", "json", "torch", "torchvision", "timm", "yaml", "onnxruntime"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('{name}')")
    monkeypatch.chdir(tmp_path)
    installation = replace(Installation.make(tmp_path), is_fresh=True)
    spec = installation.write_spec(ingredients.body())
    with installation.serve():
        job = installation.run("submit", spec).strip()
        assert json.loads(installation.run("wait", job, "--json"))["state"] == "succeeded"
        served = installation.run("results", job, "--json")
        assert "geometry" in installation.run("results", job)
    assert numbers(installation.run("audit", spec, "--json")) == numbers(served)
    assert not (tmp_path / "ran").exists()


def test_a_killed_service_leaves_no_process_and_continues_its_jobs_after_a_restart(
    ingredients: AuditInputs, tmp_path: Path
) -> None:
    installation = Installation.make(tmp_path)
    spec = installation.write_spec(long_body(ingredients))
    with installation.serve() as api:
        job = installation.run("submit", spec).strip()
        await_progress(installation, job)
        family = process_tree(api.pid)
        assert len(family) >= 4, "the processes are the API, its broker, its worker and the worker's child"
        os.killpg(api.pid, signal.SIGKILL)
        assert await_death(family) == set()
    with installation.serve() as api:
        os.killpg(api.pid, signal.SIGKILL)
    with installation.serve():
        installation.run("wait", job)
        served = installation.run("results", job, "--json")
    assert numbers(installation.run("audit", spec, "--json")) == numbers(served)


def test_a_service_that_is_interrupted_stops_all_its_processes(tmp_path: Path) -> None:
    installation = Installation.make(tmp_path)
    with installation.serve() as api:
        family = process_tree(api.pid)
        assert [pid for pid in family if os.getpgid(pid) == api.pid] == [api.pid], "Ctrl-C must reach the service only"
        os.killpg(api.pid, signal.SIGINT)
        api.wait(timeout=20)
    assert await_death(family) == set()


def test_two_services_do_not_share_a_data_directory(tmp_path: Path) -> None:
    first = Installation.make(tmp_path)
    with first.serve(), Installation.make(tmp_path).start("serve", "--port", 0) as second:
        assert second.wait(timeout=30) != 0
    assert "Another `salience serve` uses" in (tmp_path / "log.txt").read_text()


def test_a_job_on_postgres_and_redis_succeeds_after_its_worker_is_killed(
    ingredients: AuditInputs, tmp_path: Path, postgres_server: str, redis_url: str
) -> None:
    database = create_database(postgres_server).replace("+psycopg", "")
    broker = redis_url.removesuffix("/0") + "/3"
    installation = Installation.make(
        tmp_path, database_url=database, broker_url=broker, lease_seconds=LEASE_SECONDS, processes=2
    )
    spec = installation.write_spec(long_body(ingredients))
    installation.run("migrate")
    with installation.serve():
        with installation.start("worker") as first:
            job = installation.run("submit", spec).strip()
            await_progress(installation, job)
            family = process_tree(first.pid)
            os.kill(first.pid, signal.SIGKILL)
            killed = time.monotonic()
            assert await_death(family) == set()
            await_release(database)
            assert time.monotonic() - killed < LEASE_SECONDS + 0.5
        with installation.start("worker"):
            installation.run("wait", job)
        served = installation.run("results", job, "--json")
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT count(*) FROM image_values").fetchone()
    assert rows == (12 * 4,)
    assert numbers(installation.run("audit", spec, "--json")) == numbers(served)


def test_a_job_succeeds_after_the_broker_is_flushed(ingredients: AuditInputs, tmp_path: Path, redis_url: str) -> None:
    import redis

    broker = redis_url.removesuffix("/0") + "/4"
    installation = Installation.make(tmp_path, broker_url=broker, sweep_seconds=0.5)
    spec = installation.write_spec(ingredients.body())
    installation.run("migrate")
    with installation.serve():
        job = installation.run("submit", spec).strip()
        redis.Redis.from_url(broker).flushdb()
        with installation.start("worker"):
            installation.run("wait", job)


def test_a_command_that_waits_for_a_failed_job_prints_its_error_and_exits_with_status_two(
    ingredients: AuditInputs, tmp_path: Path
) -> None:
    installation = Installation.make(tmp_path)
    body = ingredients.body(cohorts=[ingredients.cohort("odd", 0, 1, layer="nowhere")])
    spec = installation.write_spec(body)
    error = json.loads(installation.run("audit", spec, "--json", status=2))
    assert (error["type"], error["field"]) == ("model-refused", "cohorts[0].model.layer")
    with installation.serve():
        job = installation.run("submit", spec).strip()
        assert "no feature layer" in installation.run("wait", job, status=2)
        assert "no feature layer" in json.loads(installation.run("wait", job, "--json", status=2))["error"]["detail"]
