"""Gaussian filters as matrices, equal to scipy's `gaussian_filter`, truncated at 4 sigma, in mode `reflect`.

Pure: tensors in, tensors out. A separable filter is the product of two banded matrices, one for rows and one for
columns. A bank applies filters of many sigmas to one image in a few large products; filters of similar radius share
their bands.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import torch
from torch import Tensor

TRUNCATE = 4.0
BLOCK = 32  # output pixels per matrix product: larger blocks multiply more zeros, smaller blocks need more products
RADII = (6, 16)  # filters are grouped by these radii (in pixels), so that narrow filters have small matrices


def filter_radius(sigma: float) -> int:
    """Return the radius of a filter in pixels."""
    return int(TRUNCATE * sigma + 0.5)


def filter_matrix(size: int, sigma: float) -> Tensor:
    """Return the 1-D filter as a float64 matrix (size, size), such that filtered = matrix @ values."""
    return _rows(size, sigma, slice(0, size), slice(0, size))


@dataclass(frozen=True)
class Band:
    """Filters of similar radius along one side.

    Each block has the slices of its output and input pixels, and a matrix (filters, outputs, inputs).
    """

    count: int
    blocks: Sequence[tuple[slice, slice, Tensor]]


# For each band, the range (first, last + 1) of the filters that a block needs.
Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Bank:
    """Filters of several sigmas, largest first, for images of one size."""

    rows: Sequence[Band]
    columns: Sequence[Band]

    @property
    def count(self) -> int:
        """Return the number of filters."""
        return sum(band.count for band in self.rows)

    def pick(self, image: Tensor, choice: Tensor) -> Tensor:
        """Filter an image (C, H, W) with a filter for each pixel, in G ways. Returns (G, C, H, W).

        `choice` (G, H, W) has the index of each pixel's filter; `count` leaves a pixel as it is. Each block
        of pixels is filtered once for all G ways, with all filters from the first to the last that one of its pixels
        needs.
        """
        out, needed = image.new_empty(len(choice), *image.shape), self._needed(choice)
        for row, (rows, _, _) in enumerate(self.rows[0].blocks):
            down = self._filter_down(image, row, _hull(needed[row]))
            for column, (columns, _, _) in enumerate(self.columns[0].blocks):
                height, width = rows.stop - rows.start, columns.stop - columns.start
                tile = image.new_empty(self.count + 1, height, len(image), width)
                self._filter_across(tile, down, column, needed[row][column])
                tile[-1] = image[:, rows, columns].transpose(0, 1)
                chosen = choice[:, rows, None, columns].expand(-1, -1, len(image), -1)
                out[:, :, rows, columns] = tile.gather(0, chosen).transpose(1, 2)
        return out

    def _needed(self, choice: Tensor) -> Sequence[Sequence[Spans]]:
        """Return the spans of filters that each block needs, by row and column of blocks."""
        down, across = (torch.arange(side, device=choice.device) // BLOCK for side in choice.shape[1:])
        shape = (len(self.rows[0].blocks), len(self.columns[0].blocks), self.count + 1)
        places = (down[:, None] * shape[1] + across) * shape[2] + choice
        present = torch.bincount(places.flatten(), minlength=math.prod(shape)).view(shape) > 0
        found, first = [], 0
        for band in self.rows:
            chosen = present[:, :, first : first + band.count].int()
            last = (band.count - chosen.flip(2).argmax(2)) * chosen.amax(2)
            found.append(torch.stack([chosen.argmax(2), last], dim=2))
            first += band.count
        spans: list[list[list[tuple[int, int]]]] = torch.stack(found, dim=2).tolist()
        return spans

    def _filter_down(self, image: Tensor, row: int, spans: Spans) -> list[tuple[int, Tensor]]:
        """Filter a block of rows with the needed filters of each band.

        Returns, for each band, the first filter and the filtered rows (filters, rows * C, W).
        """
        lines, found = image.transpose(0, 1).flatten(1), []
        for band, (low, high) in zip(self.rows, spans, strict=True):
            _, reach, matrix = band.blocks[row]
            filtered = matrix[low:high].flatten(0, 1) @ lines[reach]
            found.append((low, filtered.view(high - low, matrix.shape[1] * len(image), image.shape[2])))
        return found

    def _filter_across(self, tile: Tensor, down: list[tuple[int, Tensor]], column: int, spans: Spans) -> None:
        """Filter the rows of `_filter_down` along the columns, into a tile (filters + 1, rows, C, columns)."""
        first = 0
        for band, (offset, lines), (low, high) in zip(self.columns, down, spans, strict=True):
            _, reach, taps = band.blocks[column]
            if high > low:
                target = tile[first + low : first + high].flatten(1, 2)
                torch.bmm(lines[low - offset : high - offset, :, reach], taps[low:high].transpose(1, 2), out=target)
            first += band.count


def _hull(spans: Sequence[Spans]) -> Spans:
    """Return, for each band, the smallest span with all filters that the blocks need."""
    found = []
    for band in zip(*spans, strict=True):
        needed = [span for span in band if span[1] > span[0]]
        found.append((min(low for low, _ in needed), max(high for _, high in needed)) if needed else (0, 0))
    return found


@lru_cache(maxsize=8)
def bank(sigmas: tuple[float, ...], size: tuple[int, int], dtype: torch.dtype, device: torch.device) -> Bank:
    """Return the bank of filters of these sigmas (in pixels, in descending order) for images of (height, width)."""
    groups = [
        tuple(group) for _, group in groupby(sigmas, key=lambda sigma: sum(filter_radius(sigma) > r for r in RADII))
    ]
    rows, columns = ([_band(side, group, dtype, device) for group in groups] for side in size)
    return Bank(rows, columns)


def _band(size: int, sigmas: Sequence[float], dtype: torch.dtype, device: torch.device) -> Band:
    radius, made = filter_radius(sigmas[0]), dict[tuple[int, int, int], Tensor]()
    blocks = []
    for start in range(0, size, BLOCK):
        out = slice(start, min(start + BLOCK, size))
        span = slice(max(0, out.start - radius), min(size, out.stop + radius))
        inside = out.start >= radius and out.stop + radius <= size
        # All blocks that touch no edge have the same matrix.
        key = (out.stop - out.start, -1, -1) if inside else (out.stop - out.start, out.start, out.stop)
        if key not in made:
            made[key] = torch.stack([_rows(size, sigma, out, span) for sigma in sigmas]).to(device, dtype)
        blocks.append((out, span, made[key]))
    return Band(len(sigmas), blocks)


def _rows(size: int, sigma: float, out: slice, span: slice) -> Tensor:
    """Return the rows `out` and columns `span` of the filter's matrix; these rows are zero in all other columns."""
    radius = filter_radius(sigma)
    offsets = torch.arange(-radius, radius + 1)
    taps = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    taps = taps / taps.sum()
    places = (torch.arange(out.start, out.stop)[:, None] + offsets) % (2 * size)
    places = torch.where(places < size, places, 2 * size - 1 - places) - span.start
    matrix = torch.zeros(out.stop - out.start, span.stop - span.start, dtype=torch.float64)
    return matrix.scatter_add_(1, places, taps.expand(len(places), -1))
