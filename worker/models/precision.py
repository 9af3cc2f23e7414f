"""The arithmetic of a model's forward pass. Maps and measures are float32 whatever it is."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


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
