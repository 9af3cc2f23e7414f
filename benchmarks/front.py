"""The API under 1,000 long-polling clients and 200 job reads a second at once; everything on this machine.

    python -m benchmarks.front

Prints the 99th percentile of a plain read under that load over its value without, and the time of
`GET /v1/jobs/{id}` over that of a bare FastAPI route which returns the same bytes. Exit status 0 if no request failed
and the first ratio is below 5. On Postgres, with one API process and the clients in a process of their own.
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

from service.queue import parent_death as tether
from tests.support.jobs import AuditInputs, make_audit_inputs
from tests.support.production import production
from tests.support.servers import free_port
from tests.support.supervised_process import Kept

WAITERS, READS_A_SECOND, JOBS, SPREAD = 1000, 200, 20, 30.0
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
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0)
    request = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with TemporaryDirectory() as name, production(Path(name), 1, 0) as running:
        folder = Path(name)
        url = running.clients[0].url
        paths = submit(url, make_audit_inputs(folder))
        (folder / "body.json").write_bytes(httpx.get(url + paths[0]).content)
        with bare(folder) as bare_url:
            return asyncio.run(measure(url, paths, bare_url, request.seconds))


def submit(url: str, ingredients: AuditInputs) -> Sequence[str]:
    """Jobs that nobody works on. Returns their paths."""
    return [
        str(httpx.post(f"{url}/v1/jobs", json=ingredients.body(seed=seed)).json()["links"]["self"])
        for seed in range(JOBS)
    ]


@contextmanager
def bare(folder: Path) -> Iterator[str]:
    """The bare route, in a process of its own. Yields its URL."""
    port = free_port()
    argv = [sys.executable, "-c", BARE, str(folder / "body.json"), str(port)]
    with Kept(lambda: subprocess.Popen(tether.command(argv))):
        time.sleep(3)
        yield f"http://127.0.0.1:{port}/bare"


async def measure(url: str, paths: Sequence[str], bare_url: str, seconds: float) -> int:
    """Print the two ratios. Returns the exit status."""
    gc.disable()  # whose pauses of 0.1 s in this process would be taken for the service's
    async with httpx.AsyncClient(timeout=60) as client:
        served, plain = [[await one_read(client, each) for _ in range(500)] for each in (url + paths[0], bare_url)]
        over = float(np.median(served) / np.median(plain))
        print(f"GET /v1/jobs/{{id}} over a bare route of the same bytes, one client: {over:.2f}")
        quiet = await reads(client, url, paths, seconds / 2)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            waiting = pool.submit(wait_all, url, paths, SPREAD + seconds)
            await asyncio.sleep(SPREAD + 2)  # all of them wait by now
            loaded = await reads(client, url, paths, seconds)
            answers, failures = await asyncio.wrap_future(waiting)
    ratio = float(np.quantile(loaded, 0.99) / np.quantile(quiet, 0.99))
    without, with_them = (1000 * float(np.quantile(each, 0.99)) for each in (quiet, loaded))
    print(f"{WAITERS} long polls ({answers} answers), {len(loaded)} reads at {READS_A_SECOND}/s; failures: {failures}")
    print(f"p99 of plain reads, {with_them:.1f} ms with the long polls over {without:.1f} ms alone: {ratio:.2f}")
    return 0 if not failures and ratio < 5 else 1


async def one_read(client: httpx.AsyncClient, url: str) -> float:
    """Seconds that a read takes."""
    start = time.perf_counter()
    (await client.get(url)).raise_for_status()
    return time.perf_counter() - start


async def reads(client: httpx.AsyncClient, url: str, paths: Sequence[str], seconds: float) -> Sequence[float]:
    """Seconds of reads that begin at a steady rate, whether or not those before have ended."""
    tasks, start = [], time.perf_counter()
    for number in range(int(seconds * READS_A_SECOND)):
        await asyncio.sleep(max(0.0, start + number / READS_A_SECOND - time.perf_counter()))
        tasks.append(asyncio.create_task(one_read(client, url + paths[number % len(paths)])))
    return await asyncio.gather(*tasks)


def wait_all(url: str, paths: Sequence[str], seconds: float) -> tuple[int, list[str]]:
    """Have all clients wait for so many seconds, in a process of their own. Returns how many answers, and failures."""
    failures: list[str] = []

    async def run() -> int:
        end = time.monotonic() + seconds
        clients = (wait(url, paths[number % len(paths)], number, end) for number in range(WAITERS))
        found = await asyncio.gather(*clients, return_exceptions=True)
        failures.extend(repr(each) for each in found if isinstance(each, BaseException))
        return sum(each for each in found if isinstance(each, int))

    return asyncio.run(run()), failures


async def wait(url: str, path: str, number: int, end: float) -> int:
    """Wait for a job's next change, again and again; clients begin one after the other, as they do in life.

    On a bare socket, since a thousand connections in one pool of httpx are slower than what is measured. Returns
    how many answers there were.
    """
    parts, answers = urlsplit(url), 0
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
        answers += 1
    writer.close()
    return answers


if __name__ == "__main__":
    sys.exit(main())
