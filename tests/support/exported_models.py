"""Saves small torch.export archives."""

from pathlib import Path

import torch
from torch import nn

SIDE = 16


def export(net: nn.Module, path: Path, batch: int | None = None, side: int = SIDE) -> Path:
    """Export a model for batches of `batch` images, or of any size if `batch` is None. Returns the path."""
    dynamic = None if batch else ({0: torch.export.Dim("batch")},)
    program = torch.export.export(net, (torch.zeros(batch or 2, 3, side, side),), dynamic_shapes=dynamic)
    torch.export.save(program, path)
    return path
