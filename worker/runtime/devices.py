"""Which device a worker process computes on, and how many processes share a machine."""

from functools import cache
from pathlib import Path

import torch

from service.errors import SettingsInvalid

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # microseconds of a core in so many
MAX_PROCESSES = 8  # of a CPU, without being asked: each holds models and a batch's activations


def choose_device(wanted: str, process: int) -> torch.device:
    """`cuda` is a GPU, dealt out to the processes in turn; `auto` the same where there is one, else the CPU.

    Computes nothing, so a process may fork after it. Raises SettingsInvalid for a device that is not there.
    """
    count = torch.cuda.device_count()
    if wanted in ("auto", "cuda") and count:
        return torch.device("cuda", process % count)
    if wanted == "auto":
        return torch.device("cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise SettingsInvalid(detail=f"SALIENCE_DEVICE={wanted} is no device; give cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and (device.index or 0) >= count):
        raise SettingsInvalid(detail=f"SALIENCE_DEVICE={wanted} is not here; {count} GPU(s) are")
    return device


def processes_for(wanted: str, requested: int | None) -> int:
    """As many as asked for, else one a GPU or one a core of a CPU, most of whose operators are too small to share."""
    if requested is not None:
        return requested
    if choose_device(wanted, 0).type == "cpu":
        return min(_cores(), MAX_PROCESSES)
    return torch.cuda.device_count() if wanted in ("auto", "cuda") else 1


def share_cores(device: torch.device, processes: int) -> None:
    """Let this process, one of so many, have its share of the threads that torch may have here.

    On a CPU that is one, however few the processes are: kernels give other last bits where they share a sum.
    """
    torch.set_num_threads(1 if device.type == "cpu" else max(1, _cores() // processes))


@cache
def _cores() -> int:
    """The threads that torch may have, before any share was taken, or what a container is allowed of cores."""
    quota = CPU_MAX.read_text().split() if CPU_MAX.exists() else ["max"]
    allowed = max(1, int(quota[0]) // int(quota[1])) if quota[0] != "max" else None
    return min(torch.get_num_threads(), allowed or torch.get_num_threads())


def device_name(device: torch.device) -> str:
    """What a result says of the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
