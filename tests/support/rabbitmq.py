"""Starts RabbitMQ from Debian's package in a given folder; `python -m tests.support.rabbitmq` installs the package.

The installation needs root, and a system where installing a package starts no services.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kombu.exceptions import OperationalError

from service.queue import parent_death
from service.queue.notifier import WorkNotifier
from tests.support.servers import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the script on the PATH must run as the user rabbitmq
NO_SERVICES = Path("/usr/sbin/policy-rc.d")  # in container images, this file keeps apt from starting services
START_SECONDS = 60
MISSING = "tests/faults/test_rabbitmq.py needs RabbitMQ. Run `apt-get install rabbitmq-server` as root."


@dataclass(frozen=True)
class Rabbit:
    """A RabbitMQ server: its folder, its loopback port, and the loopback port of Erlang's port mapper."""

    folder: Path
    port: int
    mapper_port: int

    @property
    def url(self) -> str:
        """The URL of the server, for SALIENCE_BROKER_URL."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the server. It is killed when this thread ends."""
        with (self.folder / "log.txt").open("ab") as log:
            argv = parent_death.command([str(SERVER)])
            return subprocess.Popen(argv, env=self._environment(), cwd=self.folder, stdout=log, stderr=log)

    def start_mapper(self) -> "subprocess.Popen[bytes]":
        """Start Erlang's port mapper. Without it, the server starts one that keeps running after the tests."""
        argv = ["epmd", "-address", "127.0.0.1", "-port", str(self.mapper_port)]
        return subprocess.Popen(parent_death.command(argv), env=self._environment())

    def await_start(self) -> None:
        """Wait until the server answers."""
        notifier, end = WorkNotifier(self.url), time.monotonic() + START_SECONDS
        while True:
            try:
                return notifier.ping()
            except OperationalError:
                assert time.monotonic() < end, (self.folder / "log.txt").read_text()
                time.sleep(0.2)

    def _environment(self) -> dict[str, str]:
        own = {
            "HOME": self.folder, "ERL_CRASH_DUMP": self.folder / "crash", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": self.mapper_port, "RABBITMQ_NODENAME": "salience@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": free_port(), "RABBITMQ_MNESIA_BASE": self.folder / "data",
            "RABBITMQ_LOG_BASE": self.folder, "RABBITMQ_PID_FILE": self.folder / "pid",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "RUNNING_UNDER_SYSTEMD": 1,  # the script then replaces itself by the server, which receives signals
        }  # fmt: skip
        return {**os.environ, **{name: str(value) for name, value in own.items()}}


@contextmanager
def rabbit(folder: Path) -> Iterator[Rabbit]:
    """Run Erlang's port mapper. Yields a server that is not started yet."""
    assert SERVER.exists(), MISSING
    (folder / "plugins").write_text("[].")
    made = Rabbit(folder, free_port(), free_port())
    mapper = made.start_mapper()
    try:
        yield made
    finally:
        mapper.kill()
        mapper.wait()


def main() -> int:
    """Install RabbitMQ if it is missing. Returns the exit status."""
    if not SERVER.exists() and os.getuid() == 0 and shutil.which("apt-get") and NO_SERVICES.exists():
        apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*apt, "update"], env=environment, check=True)
        install = [*apt, "install", "--yes", "--no-install-recommends", "rabbitmq-server"]
        subprocess.run(install, env=environment, check=True)
    if not SERVER.exists():
        print(MISSING, file=sys.stderr)  # noqa: T201  # for the person who runs the tests
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
