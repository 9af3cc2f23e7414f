"""Runs the embedded service as a child process during an audit."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from service.queue import parent_death

START_SECONDS = 60


@contextmanager
def running_service(home: Path) -> Iterator[str]:
    """Start `salience serve` with its data below `home`, yield its URL, and stop it at the end."""
    port = _free_port()
    home.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SALIENCE_")}
    environment |= {"SALIENCE_DATA_DIR": str(home / "data"), "SALIENCE_ALLOWED_ROOTS": str(home)}
    argv = parent_death.command(parent_death.python_command("service.cli", "serve", "--port", str(port)))
    with (home / "service.log").open("wb") as log:
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}", process, home / "service.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    sys.exit(f"The service did not start; see {log}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
