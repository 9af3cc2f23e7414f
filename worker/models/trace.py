"""Converts a Python module to TorchScript by tracing it on an example."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

LISTS = (nn.ModuleList, nn.ModuleDict)


def channels_last(module: Any) -> Any:
    """Convert the module's convolutions to channels-last memory, which is faster on CPUs and tensor cores."""
    return module.to(memory_format=torch.channels_last)


def trace(eager: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    """Trace the module for inputs of the example's shape, on the example's device."""
    moved = channels_last(eager.eval().to(example.device))
    with warnings.catch_warnings(), torch.no_grad(), _plain_attention():
        # torch warns that tracing is deprecated in favour of torch.export, which has no modules to tap, and that it
        # fixes shapes, which is fine since all batches have one shape.
        warnings.simplefilter("ignore")
        untyped: Any = torch.jit.trace  # torch has no type for this function
        traced: torch.jit.ScriptModule = untyped(moved, example, check_trace=False)
    return traced


def get_submodule_names(eager: nn.Module) -> dict[str, str]:
    """Map the path of each submodule in a trace to its name in the model. Traces leave out containers."""
    found: dict[str, list[str]] = {}
    modules = dict(eager.named_modules())
    for name in modules:
        parts = name.split(".")
        heads = [".".join(parts[: length + 1]) for length in range(len(parts))]
        called = [part for part, head in zip(parts, heads, strict=True) if not isinstance(modules[head], LISTS)]
        found.setdefault(".".join(called), []).append(name)
    return {path: names[0] for path, names in found.items() if len(names) == 1}


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Disable the fused kernel for attention, which has no gradients."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
