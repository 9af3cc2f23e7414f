"""Resident memory of a process in MiB, as Linux reports it."""

from pathlib import Path


def now(pid: int | str = "self") -> int:
    """Return the current resident memory of a process."""
    return _read(pid, "VmRSS")


def peak(pid: int | str = "self") -> int:
    """Return the peak resident memory since the start of the process, or since `reset_peak`."""
    return _read(pid, "VmHWM")


def reset_peak() -> None:
    """Set the recorded peak of this process back to its current memory."""
    Path("/proc/self/clear_refs").write_text("5")


def _read(pid: int | str, kind: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(kind))
