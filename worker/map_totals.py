"""Sums of maps, exact: whole numbers of a small unit, so that no order of the pictures changes a mean map's bits."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from service.domain import MapSum

UNIT = 2.0**-30  # finer than float32 near 1; 2^33 maps add up in 63 bits


@dataclass
class MapTotals:
    """The sums of a shard's maps so far, of each run."""

    count: int = 0
    _sums: list[Tensor] = field(default_factory=list)

    def add(self, maps: Sequence[Tensor]) -> None:
        """Some pictures' maps (N, H, W) in [0, 1] under each run."""
        more = [(each.double() / UNIT).round().long().sum(0).cpu() for each in maps]
        self._sums = [total + new for total, new in zip(self._sums, more, strict=True)] if self._sums else more
        self.count += len(maps[0])

    def rows(self, cohort: int, out_of_set: bool) -> list[MapSum]:
        """As they are stored."""
        return [
            MapSum(cohort, run, out_of_set, self.count, total.numpy().astype("<i8").tobytes())
            for run, total in enumerate(self._sums)
        ]


def mean_map(total: MapSum, size: Sequence[int]) -> NDArray[np.float64]:
    """The mean of the maps in a sum, (H, W) in [0, 1]."""
    return np.frombuffer(total.data, dtype="<i8").reshape(tuple(size)) * (UNIT / total.count)
