"""Runs `salience` in processes that a server forks. The server imports the modules once, which takes seconds.

A request to the server is one JSON message with three file descriptors: standard output, standard error, and a pipe.
The server writes the process ID to the pipe, and the exit status when the process has ended.
"""

import atexit
import gc
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Protocol

from service.cli import COMMANDS, main
from service.queue.parent_death import exit_with_parent

ROOT = Path(__file__).parents[2]
LATE_IMPORTS = ("worker.app", "worker.local", "worker.inspection")  # modules that commands import only when they run
LONGEST_MESSAGE = 1 << 17
NUMBER = struct.Struct("i")


class RunningProcess(Protocol):
    """The methods of subprocess.Popen that the tests call."""

    @property
    def pid(self) -> int:
        """The ID of the process."""

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the process ends. Returns its exit status. Raises subprocess.TimeoutExpired."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, unless the process has ended."""

    def terminate(self) -> None:
        """Send SIGTERM, unless the process has ended."""


class ForkedProcess:
    """A process that the server has forked. `status` is the pipe of the request."""

    def __init__(self, status: IO[bytes]) -> None:
        self.pid = _read_number(status)
        self.returncode: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._await_end, args=[status], daemon=True).start()

    def _await_end(self, status: IO[bytes]) -> None:
        with status:
            self.returncode = _read_number(status)
        self._ended.set()

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the process ends. Returns its exit status. Raises subprocess.TimeoutExpired."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM, unless the process has ended."""
        self.send_signal(signal.SIGTERM)


def run_forked(
    arguments: Sequence[str], environment: Mapping[str, str], output: IO[bytes], errors: IO[bytes]
) -> ForkedProcess:
    """Run `salience` in a new process group, which is killed when this process ends. Returns without waiting."""
    request = {"arguments": arguments, "environment": dict(environment), "folder": str(Path.cwd())}
    ours, theirs = os.pipe()
    message = json.dumps(request).encode()
    requests, _ = _start_server()
    socket.send_fds(requests, [message], [output.fileno(), errors.fileno(), theirs])
    os.close(theirs)
    return ForkedProcess(os.fdopen(ours, "rb"))


@cache
def _start_server() -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """Start the server, once. Returns the socket for requests, and the server, which ends when the socket is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    argv = [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())]
    with theirs:
        server = subprocess.Popen(argv, cwd=ROOT, pass_fds=[theirs.fileno()], start_new_session=True)
    atexit.register(server.wait)
    atexit.register(ours.close)  # exit functions run in reverse order, so that the socket is closed before the wait
    return ours, server


def _serve(requests: socket.socket) -> None:
    """Fork a process for each request that the socket receives, until the tests close the socket.

    The function returns only in a forked process, which then runs the command. In the server, it raises SystemExit.
    """
    server = os.getpid()
    while True:
        message, files, *_ = socket.recv_fds(requests, LONGEST_MESSAGE, 3)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass  # collect the exit status of ended children, so that they do not stay as zombies
        if not message:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            exit_with_parent(server)
            return _become(json.loads(message), *files)
        for file in files:
            os.close(file)


def _become(request: Mapping[str, Any], output: int, errors: int, status: int) -> None:
    """Fork again, and return in the child with the requested arguments, environment, folder and output files.

    The parent writes the child's ID and exit status to the pipe `status`, and exits.
    """
    parent = os.getpid()
    child = os.fork()
    if child:
        os.write(status, NUMBER.pack(child))
        os.write(status, NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
        os._exit(0)
    exit_with_parent(parent)
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    for file in (output, errors, status):
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["salience", *request["arguments"]]


def _read_number(status: IO[bytes]) -> int:
    read = status.read(NUMBER.size)
    return int(NUMBER.unpack(read)[0]) if read else -signal.SIGKILL  # the server was killed, and the process with it


if __name__ == "__main__":
    for module in (*(name.partition(":")[0] for name in COMMANDS.values()), *LATE_IMPORTS):
        import_module(module)
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    main()
