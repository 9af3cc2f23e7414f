"""Prepares a forward pass: normalises its inputs and sets the precision of its arithmetic.

Maps and measures are float32 at any precision.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from service.spec.model import Preprocessing

# ITU-R 601 luma, as Pillow converts to grey.
LUMA = (0.299, 0.587, 0.114)
AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def normalise(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(N, 3, H, W) RGB in [0, 1] -> (N, 3 or 1, H, W) as the model was trained to see it."""
    if preprocessing.channels == "bgr":
        images = images.flip(1)
    elif preprocessing.channels == "gray":
        images = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    mean, std = (images.new_tensor(each)[:, None, None] for each in (preprocessing.mean, preprocessing.std))
    scaled = images if preprocessing.scale == 1 else images * preprocessing.scale
    if images.is_cuda or images.requires_grad:
        return (scaled - mean).div_(std)
    # As the model's convolutions want it, in one go: colour by colour, a CPU writes what it has just read.
    found = torch.empty_like(scaled, memory_format=torch.channels_last)
    for channel in range(scaled.shape[1]):
        torch.div(scaled[:, channel] - mean[channel], std[channel], out=found[:, channel])
    return found


@dataclass(frozen=True)
class Precision:
    """One of float32, tf32, bfloat16, float16."""

    name: str

    def on(self, device: torch.device) -> str:
        """What it comes to on a device: tf32 is a thing of CUDA, and float32 elsewhere."""
        return "float32" if self.name == "tf32" and device.type != "cuda" else self.name

    @contextmanager
    def context(self, device: torch.device) -> Iterator[None]:
        """Forward passes inside compute so; whatever was set before is set again."""
        dtype = AUTOCAST.get(self.name)
        cast = torch.autocast(device.type, dtype, cache_enabled=False) if dtype else nullcontext()
        with _tf32(self.on(device) == "tf32"), cast:
            yield


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
