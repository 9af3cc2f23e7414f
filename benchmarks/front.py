"""Latency of the API with 1,000 long-polling clients and 200 reads of jobs per second, all on this machine.

    python -m benchmarks.front

Prints two ratios: the 99th percentile of the time of a read with the long polls over that without them, and the time
of `GET /v1/jobs/{id}` over that of a bare FastAPI route with the same response. The exit status is 0 if no request
fails and the first ratio is below 5. The service runs on Postgres with one API process; the clients run in another
process.
"""

import argparse
import asyncio
import gc
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx
import numpy as np

from service.queue import parent_death
from tests.support.jobs import AuditInputs, make_audit_inputs
from tests.support.production import production
from tests.support.servers import free_port
from tests.support.supervised_process import SupervisedProcess

WAITERS, READS_PER_SECOND, JOBS, SPREAD = 1000, 200, 20, 30.0
BARE = """
import sys, uvicorn
from fastapi import FastAPI, Response
app, body = FastAPI(), open(sys.argv[1], "rb").read()
@app.get("/bare")
async def bare() -> Response:
    return Response(body, media_type="application/json")
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
"""


def main() -> int:
    """Run the benchmark. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with TemporaryDirectory() as name, production(Path(name), 1, 0) as running:
        folder = Path(name)
        url = running.clients[0].url
        paths = submit(url, make_audit_inputs(folder))
        (folder / "body.json").write_bytes(httpx.get(url + paths[0]).content)
        with bare(folder) as bare_url:
            return asyncio.run(measure(url, paths, bare_url, arguments.seconds))


def submit(url: str, ingredients: AuditInputs) -> Sequence[str]:
    """Submit jobs, which no worker processes. Returns their paths."""
    return [
        str(httpx.post(f"{url}/v1/jobs", json=ingredients.body(seed=seed)).json()["links"]["self"])
        for seed in range(JOBS)
    ]


@contextmanager
def bare(folder: Path) -> Iterator[str]:
    """Serve the bare route in a process of its own. Yields its URL."""
    port = free_port()
    argv = [sys.executable, "-c", BARE, str(folder / "body.json"), str(port)]
    with SupervisedProcess(lambda: subprocess.Popen(parent_death.command(argv))):
        time.sleep(3)
        yield f"http://127.0.0.1:{port}/bare"


async def measure(url: str, paths: Sequence[str], bare_url: str, seconds: float) -> int:
    """Print the two ratios. Returns the exit status."""
    gc.disable()  # garbage collection pauses this process for 0.1 s, which would add to the measured times
    async with httpx.AsyncClient(timeout=60) as client:
        served, plain = [[await one_read(client, each) for _ in range(500)] for each in (url + paths[0], bare_url)]
        over = float(np.median(served) / np.median(plain))
        print(f"GET /v1/jobs/{{id}} over a bare route with the same response, one client: {over:.2f}")
        quiet = await reads(client, url, paths, seconds / 2)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            waiting = pool.submit(wait_all, url, paths, SPREAD + seconds)
            await asyncio.sleep(SPREAD + 2)  # until all clients have started to wait
            loaded = await reads(client, url, paths, seconds)
            responses, failures = await asyncio.wrap_future(waiting)
    ratio = float(np.quantile(loaded, 0.99) / np.quantile(quiet, 0.99))
    without, with_them = (1000 * float(np.quantile(each, 0.99)) for each in (quiet, loaded))
    print(
        f"{WAITERS} long polls ({responses} responses), {len(loaded)} reads at {READS_PER_SECOND}/s; "
        f"failures: {failures}"
    )
    print(f"p99 of plain reads, {with_them:.1f} ms with the long polls over {without:.1f} ms alone: {ratio:.2f}")
    return 0 if not failures and ratio < 5 else 1


async def one_read(client: httpx.AsyncClient, url: str) -> float:
    """Read a URL. Returns the seconds."""
    start = time.perf_counter()
    (await client.get(url)).raise_for_status()
    return time.perf_counter() - start


async def reads(client: httpx.AsyncClient, url: str, paths: Sequence[str], seconds: float) -> Sequence[float]:
    """Start reads at a steady rate, whether or not earlier reads have ended. Returns the seconds of each."""
    tasks, start = [], time.perf_counter()
    for number in range(int(seconds * READS_PER_SECOND)):
        await asyncio.sleep(max(0.0, start + number / READS_PER_SECOND - time.perf_counter()))
        tasks.append(asyncio.create_task(one_read(client, url + paths[number % len(paths)])))
    return await asyncio.gather(*tasks)


def wait_all(url: str, paths: Sequence[str], seconds: float) -> tuple[int, list[str]]:
    """Let all clients long-poll for `seconds`. Returns the number of responses, and the failures."""
    failures: list[str] = []

    async def run() -> int:
        end = time.monotonic() + seconds
        clients = (wait(url, paths[number % len(paths)], number, end) for number in range(WAITERS))
        found = await asyncio.gather(*clients, return_exceptions=True)
        failures.extend(repr(each) for each in found if isinstance(each, BaseException))
        return sum(each for each in found if isinstance(each, int))

    return asyncio.run(run()), failures


async def wait(url: str, path: str, number: int, end: float) -> int:
    """Long-poll a job until `end`. Clients start one after the other, as in practice. Returns the number of responses.

    It uses a bare socket, since a thousand connections in one httpx pool are slower than the service.
    """
    parts, responses = urlsplit(url), 0
    await asyncio.sleep(SPREAD * number / WAITERS)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    request = f"GET {path}?wait={SPREAD:g} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    while time.monotonic() < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(head.decode())
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        responses += 1
    writer.close()
    return responses


if __name__ == "__main__":
    sys.exit(main())
