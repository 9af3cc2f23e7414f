"""Which device a worker process computes on."""

import torch


def choose_device(wanted: str, process: int) -> torch.device:
    """`cuda` is a GPU, dealt out to the processes in turn; `auto` the same where there is one, else the CPU.

    Raises ValueError for a device that is not there.
    """
    count = torch.cuda.device_count()
    if wanted in ("auto", "cuda") and count:
        return torch.device("cuda", process % count)
    if wanted == "auto":
        return torch.device("cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"SALIENCE_DEVICE={wanted} is not here: {error}") from error
    return device


def name_of(device: torch.device) -> str:
    """What a result says of the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
