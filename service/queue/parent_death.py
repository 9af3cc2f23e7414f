"""Run a command that is killed when the process that started it ends, even by SIGKILL.

    python -P -m service.queue.parent_death PARENT_PID [--user UID] COMMAND [ARG ...]

On systems other than Linux, the command survives its parent.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def command(argv: Sequence[str], user: int | None = None) -> list[str]:
    """Return the command line that runs argv and ends with this process; root can choose another user."""
    switch = ["--user", str(user)] if user is not None else []
    return python_command("service.queue.parent_death", str(os.getpid()), *switch, *argv)


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command line of a Python module. `-P` prevents imports from the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def exit_with_parent(parent: int) -> None:
    """Make the kernel kill this process when its parent dies; exit at once if the parent is dead already."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """Replace this process by the command. Changing the user comes first, since it resets the parent-death signal."""
    parent, rest = int(arguments[0]), arguments[1:]
    if rest[0] == "--user":
        os.setgroups([])
        os.setgid(int(rest[1]))
        os.setuid(int(rest[1]))
        rest = rest[2:]
    exit_with_parent(parent)
    os.execvp(rest[0], rest)


if __name__ == "__main__":
    main(sys.argv[1:])
