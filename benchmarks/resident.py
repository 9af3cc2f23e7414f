"""Resident memory of processes, in MiB, as Linux counts it."""

from pathlib import Path


def now(pid: int | str = "self") -> int:
    """What a process has."""
    return _read(pid, "VmRSS")


def peak(pid: int | str = "self") -> int:
    """The most that it has had, since its beginning or since `forget_peak`."""
    return _read(pid, "VmHWM")


def forget_peak() -> None:
    """Have this process's peak count from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def _read(pid: int | str, kind: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(kind))
