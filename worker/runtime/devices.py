"""Chooses the device of a worker process and the number of processes on a machine."""

from functools import cache
from pathlib import Path

import torch

from service.errors import SettingsInvalid

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # has the CPU quota and period of a container, in microseconds
MAX_PROCESSES = 8  # default limit on a CPU, since each process has models and activations of its own in memory


def choose_device(setting: str, process: int) -> torch.device:
    """Return the device for SALIENCE_DEVICE and a process number.

    `cuda` assigns the GPUs to the processes in turn; `auto` does the same, or takes the CPU if there is no GPU. It does
    not initialise CUDA, so the process may fork afterwards. Raises SettingsInvalid for a device that does not exist.
    """
    count = torch.cuda.device_count()
    if setting in ("auto", "cuda") and count:
        return torch.device("cuda", process % count)
    if setting == "auto":
        return torch.device("cpu")
    try:
        device = torch.device(setting)
    except RuntimeError as error:
        raise SettingsInvalid(
            detail=f"SALIENCE_DEVICE={setting} is not a device; use auto, cpu, cuda or cuda:N"
        ) from error
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and (device.index or 0) >= count):
        raise SettingsInvalid(detail=f"SALIENCE_DEVICE={setting} does not exist; this machine has {count} GPU(s)")
    return device


def processes_for(setting: str, requested: int | None) -> int:
    """Return the requested number of processes, else one per GPU or CPU core.

    Most operators are too small to use several cores. Raises SettingsInvalid for a device that does not exist.
    """
    device = choose_device(setting, 0)
    if requested is not None:
        return requested
    if device.type == "cpu":
        return min(_cores(), MAX_PROCESSES)
    return torch.cuda.device_count() if setting in ("auto", "cuda") else 1


def share_cores(device: torch.device, processes: int) -> None:
    """Limit torch's threads in this process, which is one of `processes`.

    On a CPU the limit is always 1: a sum split over threads differs in its last bits.
    """
    torch.set_num_threads(1 if device.type == "cpu" else max(1, _cores() // processes))


@cache
def _cores() -> int:
    """Return torch's default number of threads, or the container's CPU quota if that is lower."""
    quota = CPU_MAX.read_text().split() if CPU_MAX.exists() else ["max"]
    allowed = max(1, int(quota[0]) // int(quota[1])) if quota[0] != "max" else None
    return min(torch.get_num_threads(), allowed or torch.get_num_threads())


def device_name(device: torch.device) -> str:
    """Name of the device in results."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
