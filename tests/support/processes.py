"""Runs the command `salience` in separate processes."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import httpx

from service.queue import parent_death
from service.settings import ServiceSettings
from tests.support.fork_server import RunningProcess, run_forked
from tests.support.servers import free_port
from worker.settings import WorkerSettings

START_SECONDS = 60
LOG_CHARACTERS = 8000


@dataclass(frozen=True)
class Installation:
    """The environment and the folder in which commands run, and the port of the API.

    Commands run in forked processes, which start fast. With `is_fresh`, each runs in a new Python, as for users.
    """

    environment: Mapping[str, str]
    folder: Path
    port: int
    is_fresh: bool = False

    @classmethod
    def make(cls, folder: Path, **settings: object) -> "Installation":
        """Create an installation whose worker processes one shard at a time.

        `settings` has values of settings, by their names in lower case without the prefix SALIENCE_.
        """
        unknown = settings.keys() - ServiceSettings.model_fields.keys() - WorkerSettings.model_fields.keys()
        assert not unknown, f"not settings of the service: {unknown}"
        port = free_port()
        own = {f"SALIENCE_{name.upper()}": str(value) for name, value in settings.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SALIENCE_")}
        base = {
            "SALIENCE_DATA_DIR": str(folder / "data"), "SALIENCE_URL": f"http://127.0.0.1:{port}",
            "SALIENCE_ALLOWED_ROOTS": "/", "SALIENCE_PROCESSES": "1",
        }  # fmt: skip
        return cls({**inherited, **base, **own}, folder, port)

    @property
    def url(self) -> str:
        """The URL of the API."""
        return self.environment["SALIENCE_URL"]

    def run(self, *arguments: object, status: int = 0) -> str:
        """Run a command and check its exit status. Returns its standard output."""
        return self._run(status, *arguments)[0]

    def fail(self, *arguments: object) -> str:
        """Run a command and check that its exit status is 2. Returns its standard error."""
        return self._run(2, *arguments)[1]

    def _run(self, status: int, *arguments: object) -> tuple[str, str]:
        with TemporaryFile() as output, TemporaryFile() as errors:
            returned = self.spawn(output, *arguments, errors=errors).wait()
            printed = _read_all(output), _read_all(errors)
        assert returned == status, "\n".join([*printed, self.log_tail()])
        return printed

    @contextmanager
    def start(self, *arguments: object) -> Iterator[RunningProcess]:
        """Run a command in the background until the context manager exits. Its output goes to log.txt in the folder."""
        with (self.folder / "log.txt").open("ab") as log:
            process = self.spawn(log, *arguments)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    def spawn(self, log: IO[bytes], *arguments: object, errors: IO[bytes] | None = None) -> RunningProcess:
        """Start a command in a new process group, which is killed when this thread or this process ends."""
        given, errors = [str(each) for each in arguments], errors or log
        if not self.is_fresh:
            return run_forked(given, self.environment, log, errors)
        argv = parent_death.command(parent_death.python_command("service.cli", *given))
        return subprocess.Popen(argv, env=self.environment, stdout=log, stderr=errors, start_new_session=True)

    @contextmanager
    def serve(self) -> Iterator[RunningProcess]:
        """Run `salience serve`. Yields its process when the API is ready."""
        with self.start("serve", "--port", self.port) as process:
            end = time.monotonic() + START_SECONDS
            while not self._is_ready():
                assert process.poll() is None and time.monotonic() < end, self.log_tail()
                time.sleep(0.1)
            yield process

    def write_spec(self, body: Mapping[str, Any]) -> Path:
        """Write a spec to a file. Returns its path."""
        path = self.folder / "spec.json"
        path.write_text(json.dumps(body))
        return path

    def log_tail(self) -> str:
        """Return the end of log.txt, for the message of a failed assertion."""
        log = self.folder / "log.txt"
        return log.read_text()[-LOG_CHARACTERS:] if log.exists() else ""

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False


def _read_all(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def process_tree(pid: int) -> set[int]:
    """Return the IDs of a process and of all its descendants."""
    found = {pid}
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        for each in child.read_text().split():
            found |= process_tree(int(each))
    return found


def is_alive(pid: int) -> bool:
    """Return whether a process runs. A zombie process does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def await_death(pids: set[int], seconds: float = 20) -> set[int]:
    """Wait at most `seconds` until the processes have ended. Returns the IDs of those that still run."""
    end = time.monotonic() + seconds
    while any(map(is_alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return {pid for pid in pids if is_alive(pid)}
