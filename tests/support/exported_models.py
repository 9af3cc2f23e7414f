"""Small torch.export archives."""

from pathlib import Path

import torch
from torch import nn

SIDE = 16


def export(net: nn.Module, path: Path, batch: int | None = None, side: int = SIDE) -> Path:
    """Save an exported program that takes batches of `batch` images; None: batches of any size."""
    dynamic = None if batch else ({0: torch.export.Dim("batch")},)
    program = torch.export.export(net, (torch.zeros(batch or 2, 3, side, side),), dynamic_shapes=dynamic)
    torch.export.save(program, path)
    return path
