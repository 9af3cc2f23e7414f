"""Flips, quarter turns, shifts, rotations and scalings of images and maps.

Pure: tensors in, tensors out. All except rotations and scalings are exact index operations.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

FULL_COVERAGE = 0.999  # pixels where a transformed image of ones has a higher value come from inside the frame


def transform(values: Tensor, name: str) -> Tensor:
    """Apply a transformation by its name to images (..., H, W). Raises ValueError for an unknown name.

    `hflip`, `vflip`; `rot90`, `rot270` (counter-clockwise, H and W swapped); `shift:dx,dy` (in pixels, to the right and
    down; the uncovered border repeats the edge); `rotate:DEG` (in degrees, counter-clockwise) and `scale:S` (both
    bilinear about the centre, 0 outside).
    """
    if name in _FIXED:
        return _FIXED[name](values)
    kind, _, amount = name.partition(":")
    if kind in ("rotate", "scale"):
        return _resample(values, *((float(amount), 1.0) if kind == "rotate" else (0.0, float(amount))))
    dx, dy = _shift(name)
    inside = stays_inside(values, name)
    borders = (max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0))
    return F.pad(inside.reshape(-1, *inside.shape[-2:]), borders, mode="replicate").view(values.shape)


def is_shift(name: str) -> bool:
    """Return whether a name is that of a shift."""
    return name.startswith("shift:")


def stays_inside(values: Tensor, name: str) -> Tensor:
    """Return the pixels of images (..., H, W) that stay inside the frame when the images are shifted.

    `crop_valid` returns the same pixels after the shift.
    """
    dx, dy = _shift(name)
    height, width = values.shape[-2:]
    return values[..., max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]


def crop_valid(values: Tensor, name: str) -> Tensor:
    """Return the pixels of shifted images (..., H, W) that were inside the frame before the shift.

    The pixels left out repeat the edge. For other transformations, return all pixels.
    """
    if not is_shift(name):
        return values
    dx, dy = _shift(name)
    height, width = values.shape[-2:]
    return values[..., max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]


def valid_mask(values: Tensor, name: str) -> Tensor | None:
    """Return which pixels (H, W) of rotated or scaled images (N, H, W) come from inside the frame.

    Returns None for other transformations.
    """
    if not name.startswith(("rotate:", "scale:")):
        return None
    return transform(torch.ones_like(values[0]), name) > FULL_COVERAGE


def _resample(values: Tensor, degrees: float, scale: float) -> Tensor:
    """Resample (..., H, W) by one affine map about the centre ((W - 1) / 2, (H - 1) / 2)."""
    height, width = values.shape[-2:]
    cos, sin = math.cos(math.radians(degrees)) / scale, math.sin(math.radians(degrees)) / scale
    # The source of each output pixel, in units of half the side; rows count downwards.
    sources = torch.tensor([[[cos, -sin * height / width, 0], [sin * width / height, cos, 0]]], dtype=torch.float64)
    flat = values.reshape(1, -1, height, width)
    grid = F.affine_grid(sources, [1, 1, height, width], align_corners=False).to(values)
    return F.grid_sample(flat, grid, mode="bilinear", padding_mode="zeros", align_corners=False).view(values.shape)


_FIXED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "hflip": lambda values: values.flip(-1),
    "vflip": lambda values: values.flip(-2),
    "rot90": lambda values: values.rot90(1, (-2, -1)),
    "rot270": lambda values: values.rot90(3, (-2, -1)),
}


def _shift(name: str) -> tuple[int, int]:
    kind, _, amounts = name.partition(":")
    if kind != "shift":
        raise ValueError(f"unknown transformation: {name!r}")
    dx, dy = map(int, amounts.split(","))
    return dx, dy
