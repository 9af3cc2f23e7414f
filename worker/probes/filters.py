"""Gaussian filters as matrices: scipy's `gaussian_filter`, truncated at 4 sigma, the edge pixel repeated.

Pure: tensors in, tensors out. A bank applies many widths to one picture in a few large products: a separable
filter is a banded matrix over rows and another over columns, and widths of like radius share their bands.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import torch
from torch import Tensor

TRUNCATE = 4.0
BLOCK = 56  # output pixels a product: longer blocks waste zeros of the band, shorter ones make small products
RADII = (6, 16)  # where the widths of a bank part, so that narrow filters do not pay for wide bands


def radius_of(sigma: float) -> int:
    """How far a filter reaches, in pixels."""
    return int(TRUNCATE * sigma + 0.5)


def filter_matrix(size: int, sigma: float) -> Tensor:
    """The 1-D filter as a float64 matrix (size, size): filtered = matrix @ values."""
    return _rows(size, sigma, slice(0, size), slice(0, size))


@dataclass(frozen=True)
class Band:
    """Filters of like radius along one side: for each block of outputs, (levels, outputs, inputs)."""

    count: int
    blocks: Sequence[tuple[slice, slice, Tensor]]


@dataclass(frozen=True)
class Bank:
    """Filters of several widths, widest first, for pictures of one size."""

    rows: Sequence[Band]
    columns: Sequence[Band]

    def apply(self, image: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """A picture (C, H, W) under every filter and as it is: blocks of rows, each (filters + 1, rows, C, W)."""
        channels, _, width = image.shape
        lines = image.transpose(0, 1).reshape(image.shape[1], -1)
        filters = sum(band.count for band in self.rows)
        for number, (rows, _, _) in enumerate(self.rows[0].blocks):
            count, first = rows.stop - rows.start, 0
            planes = image.new_empty(filters + 1, count, channels, width)
            for down, across in zip(self.rows, self.columns, strict=True):
                _, reach, matrix = down.blocks[number]
                found = (matrix.flatten(0, 1) @ lines[reach]).view(down.count, count * channels, width)
                target = planes[first : first + down.count].view(down.count, count * channels, width)
                for columns, span, taps in across.blocks:
                    target[:, :, columns] = found[:, :, span] @ taps.transpose(1, 2)
                first += down.count
            planes[filters] = lines[rows].view(count, channels, width)
            yield rows, planes


@lru_cache(maxsize=8)
def bank(sigmas: tuple[float, ...], size: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Bank:
    """The bank of these widths, which are in falling order, for pictures of (height, width)."""
    groups = [tuple(group) for _, group in groupby(sigmas, key=lambda sigma: sum(radius_of(sigma) > r for r in RADII))]
    rows, columns = ([_band(side, group, dtype, device) for group in groups] for side in size)
    return Bank(rows, columns)


def _band(size: int, sigmas: Sequence[float], dtype: torch.dtype, device: torch.device) -> Band:
    radius, made = radius_of(sigmas[0]), dict[tuple[int, int, int], Tensor]()
    blocks = []
    for start in range(0, size, BLOCK):
        out = slice(start, min(start + BLOCK, size))
        span = slice(max(0, out.start - radius), min(size, out.stop + radius))
        inside = out.start >= radius and out.stop + radius <= size
        # Blocks that touch no edge are all alike.
        key = (out.stop - out.start, -1, -1) if inside else (out.stop - out.start, out.start, out.stop)
        if key not in made:
            made[key] = torch.stack([_rows(size, sigma, out, span) for sigma in sigmas]).to(device, dtype)
        blocks.append((out, span, made[key]))
    return Band(len(sigmas), blocks)


def _rows(size: int, sigma: float, out: slice, span: slice) -> Tensor:
    """Rows `out` of the filter's matrix, and of them the columns `span`, outside which they are zero."""
    radius = radius_of(sigma)
    offsets = torch.arange(-radius, radius + 1)
    taps = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    taps = taps / taps.sum()
    places = (torch.arange(out.start, out.stop)[:, None] + offsets) % (2 * size)
    places = torch.where(places < size, places, 2 * size - 1 - places) - span.start
    matrix = torch.zeros(out.stop - out.start, span.stop - span.start, dtype=torch.float64)
    return matrix.scatter_add_(1, places, taps.expand(len(places), -1))
