"""The RabbitMQ of the tests, in a folder of its own: `python -m tests.support.rabbitmq` sees to it that there is one.

It is Debian's; root has it installed from Debian, where that does not start a server of its own.
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

from service.queue import parent_death as tether
from service.queue.notifier import WorkNotifier
from tests.support.servers import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one in the path insists on a user and folders of its own
NO_SERVICES = Path("/usr/sbin/policy-rc.d")  # as images of containers have it
START_SECONDS = 60
MISSING = "The tests of RabbitMQ need one, and there is none. As root: apt-get install rabbitmq-server"


@dataclass(frozen=True)
class Rabbit:
    """A server, not started: its folder, and the ports of loopback that it and Erlang's port mapper listen on."""

    folder: Path
    port: int
    mapper_port: int

    @property
    def url(self) -> str:
        """What SALIENCE_BROKER_URL is to say."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the server; it dies with the thread that started it."""
        with (self.folder / "log.txt").open("ab") as log:
            argv = tether.command([str(SERVER)])
            return subprocess.Popen(argv, env=self._environment(), cwd=self.folder, stdout=log, stderr=log)

    def start_mapper(self) -> "subprocess.Popen[bytes]":
        """Start Erlang's port mapper, which a server would start to stay for ever."""
        argv = ["epmd", "-address", "127.0.0.1", "-port", str(self.mapper_port)]
        return subprocess.Popen(tether.command(argv), env=self._environment())

    def await_start(self) -> None:
        """Return once the server answers."""
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
            "RUNNING_UNDER_SYSTEMD": 1,  # that is: becomes the server, in place of a shell that waits for it
        }  # fmt: skip
        return {**os.environ, **{name: str(value) for name, value in own.items()}}


@contextmanager
def rabbit(folder: Path) -> Iterator[Rabbit]:
    """A server in a folder, not started, and the port mapper that it needs."""
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
    """Returns the exit status."""
    if not SERVER.exists() and os.getuid() == 0 and shutil.which("apt-get") and NO_SERVICES.exists():
        apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*apt, "update"], env=environment, check=True)
        install = [*apt, "install", "--yes", "--no-install-recommends", "rabbitmq-server"]
        subprocess.run(install, env=environment, check=True)
    if not SERVER.exists():
        print(MISSING, file=sys.stderr)  # noqa: T201  # to whoever runs the tests
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
