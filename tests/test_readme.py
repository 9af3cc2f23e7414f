"""Tests that the commands of the README work unchanged."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from service.queue import parent_death
from tests.support.curl import environment, run
from tests.support.jobs import write_image
from tests.support.models import TinyNet, save_archive
from tests.support.servers import free_port

README = Path(__file__).parents[1] / "README.md"
SIDE, IMAGES, START_SECONDS = 64, 8, 60


def commands(start: str, end: str) -> str:
    """Return the indented lines of the README between two texts."""
    part = README.read_text().partition(start)[2].partition(end)[0]
    return "\n".join(line[4:] for line in part.splitlines() if line.startswith("    "))


def make_demo(folder: Path) -> None:
    """Create the files of `make demo`, with smaller models and fewer images."""
    models = folder / ".demo" / "models" / "human-guided"
    models.mkdir(parents=True)
    for seed in (1, 2):
        save_archive(TinyNet(seed), models / f"{seed}.pt", SIDE)
    random = np.random.default_rng(0)
    for number in range(IMAGES):
        write_image(folder / ".demo" / "pictures" / str(number % 2) / f"{number}.png", random)
    (folder / ".venv").symlink_to(sys.prefix)


@contextmanager
def serving(script: str, folder: Path, settings: Mapping[str, str], url: str) -> Iterator[None]:
    """Start the service with a command of the README. Yields when it is ready."""
    with (folder / "log.txt").open("wb") as log:
        argv = parent_death.command(["bash", "-c", f"exec {script}"])
        process = subprocess.Popen(argv, cwd=folder, env=settings, stdout=log, stderr=log)
    try:
        end = time.monotonic() + START_SECONDS
        while not is_ready(url):
            assert process.poll() is None and time.monotonic() < end, (folder / "log.txt").read_text()
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_the_commands_of_the_first_audit_work_unchanged(tmp_path: Path) -> None:
    make_demo(tmp_path)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    serve = commands("## First audit", "and from another shell")
    curls = commands("and from another shell", "In a browser")
    assert (serve, curls.count("curl")) == (".venv/bin/salience serve", 7)
    own = environment(tmp_path, url)
    service = {"SALIENCE_PORT": str(port), "SALIENCE_DATA_DIR": str(tmp_path / "data"), "SALIENCE_PROCESSES": "1"}
    with serving(serve, tmp_path, {**own, **service}, url):
        output = run(curls, tmp_path, own)
    results, end = json.JSONDecoder().raw_decode(output)
    assert results["cohorts"]["human-guided"]["measures"]["entropy"]["n"] == IMAGES * 2
    assert '"state":"succeeded"' in output[end:], "the events"
    assert json.loads((tmp_path / "job.json").read_text())["state"] == "succeeded"
    assert len((tmp_path / "images.csv").read_text().splitlines()) > IMAGES
    assert (tmp_path / "report.html").read_text().lower().startswith("<!doctype html>")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
