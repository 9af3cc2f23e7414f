"""Run a command that dies with the process that started it, also if that one is killed with -9.

    python -P -m service.queue.parent_death PARENT_PID [--user UID] COMMAND [ARG ...]

Linux only; elsewhere the command runs untethered.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def command(argv: Sequence[str], user: int | None = None) -> list[str]:
    """The command line that runs argv tethered to this process (and as a user, for root)."""
    switch = ["--user", str(user)] if user is not None else []
    return python_command("service.queue.parent_death", str(os.getpid()), *switch, *argv)


def python_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of ours. Modules that lie in the folder where it is started are not seen."""
    return [sys.executable, "-P", "-m", module, *arguments]


def exit_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; exit at once if that has happened."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """Become the command. Changing the user clears the tether, so it comes first."""
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
