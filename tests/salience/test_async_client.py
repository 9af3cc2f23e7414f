import asyncio
from pathlib import Path

import httpx
import pytest

from salience import AsyncClient, JobState
from salience.errors import ResourceNotFound
from tests.support.jobs import AuditInputs
from worker.runner import Runner


async def call_every_method(url: str, body: dict[str, object], runner: Runner, file: Path) -> None:
    async with AsyncClient(url) as client:
        await client.ping()
        job = (await client.submit(body, key="k")).id
        assert (await client.submit(body, key="k")).id == job
        waiting = asyncio.create_task(client.wait(job))
        await asyncio.to_thread(do_all_work, runner)
        assert (await waiting).state is JobState.SUCCEEDED
        assert (await client.results(job)).job == job
        cancelled = await client.submit(body)
        assert (await client.cancel(cancelled.id)).state is JobState.CANCELLED
        await client.delete(job)
        with pytest.raises(ResourceNotFound):
            await client.job(job)
        assert (await client.upload(file)) == (await client.upload(file))


def do_all_work(runner: Runner) -> None:
    while runner.work():
        pass


def test_every_method_of_the_async_client_works(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner, tmp_path: Path
) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights" * 400_000)
    asyncio.run(call_every_method(str(api.base_url), ingredients.body(measures=["entropy"]), runner, file))
