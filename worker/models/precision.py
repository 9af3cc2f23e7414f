"""Prepares a forward pass: normalises its inputs and sets the precision of its arithmetic.

Maps and measures are float32 at any precision.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from service.spec.cohort import Preprocessing

# The weights of ITU-R 601 luma, with which Pillow converts colours to grey.
LUMA = (0.299, 0.587, 0.114)
AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def normalise(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """RGB images (N, 3, H, W) in [0, 1] -> the model's inputs (N, 3 or 1, H, W).

    Converts the channels, multiplies by the scale, subtracts the mean and divides by the standard deviation.
    """
    if preprocessing.channels == "bgr":
        images = images.flip(1)
    elif preprocessing.channels == "gray":
        images = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    mean, std = (images.new_tensor(each)[:, None, None] for each in (preprocessing.mean, preprocessing.std))
    scaled = images if preprocessing.scale == 1 else images * preprocessing.scale
    if images.is_cuda or images.requires_grad:
        return (scaled - mean).div_(std)
    # The result has the memory format that convolutions need. A single channel fits into the CPU's cache.
    normalised = torch.empty_like(scaled, memory_format=torch.channels_last)
    for channel in range(scaled.shape[1]):
        torch.div(scaled[:, channel] - mean[channel], std[channel], out=normalised[:, channel])
    return normalised


@dataclass(frozen=True)
class Precision:
    """The arithmetic of forward passes: `name` is float32, tf32, bfloat16 or float16."""

    name: str

    def on(self, device: torch.device) -> str:
        """Return the precision that a device uses: without CUDA, tf32 is float32."""
        return "float32" if self.name == "tf32" and device.type != "cuda" else self.name

    @contextmanager
    def context(self, device: torch.device) -> Iterator[None]:
        """Run forward passes inside the block at this precision, and restore torch's settings after it."""
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
