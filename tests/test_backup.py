"""Backup and restore with the commands of docs/how-to/back-up.md: the restored service gives the same responses."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from service.main import create_app
from service.settings import ServiceSettings
from service.spec.model import spec_digest
from service.storage import Store
from tests.conftest import create_database
from tests.support.jobs import AuditInputs
from tests.support.servers import POSTGRES_BINARIES, serving
from worker.runner import Runner

GUIDE = Path(__file__).parents[1] / "docs" / "how-to" / "back-up.md"


def run_command(program: str, folder: Path, **urls: str) -> None:
    """Run the command in docs/how-to/back-up.md that begins with the name of this program."""
    (line,) = re.findall(rf"^    ({program} .*)$", GUIDE.read_text(), re.MULTILINE)
    path = f"{POSTGRES_BINARIES}:{os.environ['PATH']}"
    plain = {name: url.replace("+psycopg", "") for name, url in urls.items()}
    subprocess.run(["bash", "-c", line], env={**os.environ, **plain, "PATH": path}, cwd=folder, check=True)


def answers(database: str, broker: str, job: str) -> list[str]:
    """Return the responses of the API about a job: its state, its results and its images."""
    settings = ServiceSettings(database_url=database, broker_url=broker, sweep_seconds=60)
    with serving(create_app(settings)) as url, httpx.Client(base_url=f"{url}/v1/jobs") as client:
        return [client.get(f"/{job}{place}").raise_for_status().text for place in ("", "/results", "/images")]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_restored_database_gives_the_same_responses_and_its_jobs_continue(  # noqa: PLR0913
    runner: Runner, ingredients: AuditInputs, database_url: str, postgres_server: str, redis_url: str, tmp_path: Path
) -> None:
    def accept(seed: int) -> str:
        spec = ingredients.spec(seed=seed, measures=["entropy"], options={})
        return runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id

    done = accept(0)
    while runner.work():
        pass
    waiting = accept(1)
    restored = create_database(postgres_server)
    run_command("pg_dump", tmp_path, DATABASE_URL=database_url)
    run_command("pg_restore", tmp_path, NEW_DATABASE_URL=restored)

    assert answers(restored, redis_url, done) == answers(database_url, redis_url, done)
    store = Store.open(restored)
    while replace(runner, store=store).work():
        pass
    while runner.work():
        pass
    assert answers(restored, redis_url, waiting)[2] == answers(database_url, redis_url, waiting)[2]
    store.database.close()
