"""Which device a worker process computes on."""

import torch

from service.errors import SettingsInvalid


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


def name_of(device: torch.device) -> str:
    """What a result says of the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
