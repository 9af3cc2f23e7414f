"""Flips, quarter turns, shifts, rotations and scalings, on images and on maps alike.

Pure: tensors in, tensors out. All but rotations and scalings are exact index operations.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

FULL_COVERAGE = 0.999  # a resampled one above it came from inside the frame


def transform(values: Tensor, name: str) -> Tensor:
    """Transform (..., H, W) by a name.

    `hflip`, `vflip`, `rot90`, `rot270` (counter-clockwise, H and W change places), `shift:dx,dy` (content moves
    right and down, the border it uncovers repeats the edge), `rotate:DEG` (counter-clockwise) and `scale:S`
    (resampled about the centre, bilinear, 0 outside). Raises ValueError for another name.
    """
    if name in _FIXED:
        return _FIXED[name](values)
    kind, _, amount = name.partition(":")
    if kind in ("rotate", "scale"):
        return _resample(values, *((float(amount), 1.0) if kind == "rotate" else (0.0, float(amount))))
    dx, dy = _shift(name)
    kept = stays_inside(values, name)
    borders = (max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0))
    return F.pad(kept.reshape(-1, *kept.shape[-2:]), borders, mode="replicate").view(values.shape)


def is_shift(name: str) -> bool:
    """Whether a name is that of a shift."""
    return name.startswith("shift:")


def stays_inside(values: Tensor, name: str) -> Tensor:
    """The part of (..., H, W) that a shift leaves inside the frame: `crop_valid` of the shifted, before the shift."""
    dx, dy = _shift(name)
    height, width = values.shape[-2:]
    return values[..., max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]


def crop_valid(values: Tensor, name: str) -> Tensor:
    """The part of transformed (..., H, W) that came from inside the frame, where that is a rectangle."""
    if not is_shift(name):
        return values
    dx, dy = _shift(name)
    height, width = values.shape[-2:]
    return values[..., max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]


def valid_mask(values: Tensor, name: str) -> Tensor | None:
    """Which pixels (H, W) of transformed (N, H, W) came from inside the frame, where that is no rectangle."""
    if not name.startswith(("rotate:", "scale:")):
        return None
    return transform(torch.ones_like(values[0]), name) > FULL_COVERAGE


def _resample(values: Tensor, degrees: float, scale: float) -> Tensor:
    """One affine resampling of (..., H, W) about ((W - 1) / 2, (H - 1) / 2)."""
    height, width = values.shape[-2:]
    cos, sin = math.cos(math.radians(degrees)) / scale, math.sin(math.radians(degrees)) / scale
    # Where each pixel comes from, in units of half the side; rows count downwards.
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
        raise ValueError(f"{name!r} is no transformation")
    dx, dy = map(int, amounts.split(","))
    return dx, dy
