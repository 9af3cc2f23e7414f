"""Flips, quarter turns and shifts, as exact index operations on pictures and on maps alike.

Pure: tensors in, tensors out.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def transform(values: Tensor, name: str) -> Tensor:
    """Transform (..., H, W) by a name: hflip, vflip, rot90, rot270 (counter-clockwise) or shift:dx,dy.

    A shift moves the content right and down; the border it uncovers repeats the edge. Quarter turns
    swap H and W. Raises ValueError for another name.
    """
    if name in _FIXED:
        return _FIXED[name](values)
    dx, dy = _shift(name)
    height, width = values.shape[-2:]
    rows = (torch.arange(height, device=values.device) - dy).clamp(0, height - 1)
    columns = (torch.arange(width, device=values.device) - dx).clamp(0, width - 1)
    return values.index_select(-2, rows).index_select(-1, columns)


def crop_valid(values: Tensor, name: str) -> Tensor:
    """The part of transformed (..., H, W) that came from inside the frame."""
    if name in _FIXED:
        return values
    dx, dy = _shift(name)
    height, width = values.shape[-2:]
    return values[..., max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]


_FIXED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "hflip": lambda values: values.flip(-1),
    "vflip": lambda values: values.flip(-2),
    "rot90": lambda values: values.rot90(1, (-2, -1)),
    "rot270": lambda values: values.rot90(3, (-2, -1)),
}


def _shift(name: str) -> tuple[int, int]:
    kind, _, amounts = name.partition(":")
    if kind != "shift":
        raise ValueError(f"{name!r} is no transformation")
    dx, dy = map(int, amounts.split(","))
    return dx, dy
