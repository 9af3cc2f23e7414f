"""Exact sums of maps: integers in a small unit, so that a mean map does not depend on the order of the images."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from service.domain.maps import SUM_UNIT, ClassSum, small_size
from service.domain.work import MapSum


@dataclass
class MapSums:
    """The sum of a shard's maps so far, for each run."""

    count: int = 0
    _sums: list[Tensor] = field(default_factory=list)

    def add(self, maps: Sequence[Tensor]) -> None:
        """Add some images' maps (N, H, W) in [0, 1], one tensor per run."""
        more = [(each.double() / SUM_UNIT).round().long().sum(0).cpu() for each in maps]
        self._sums = [total + new for total, new in zip(self._sums, more, strict=True)] if self._sums else more
        self.count += len(maps[0])

    def rows(self, cohort: int, out_of_set: bool) -> list[MapSum]:
        """Return the sums as database rows."""
        return [
            MapSum(cohort, run, out_of_set, self.count, total.numpy().astype("<i8").tobytes())
            for run, total in enumerate(self._sums)
        ]


@dataclass
class ClassSums:
    """The sums of a cohort's downscaled maps over images and runs, by label; the label "" stands for all images."""

    cohort: int
    labels: Collection[str]
    _sums: dict[str, Tensor] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)

    def add(self, labels: Sequence[str | None], maps: Sequence[Tensor]) -> None:
        """Add some images' labels and maps (N, H, W) in [0, 1], one tensor per run."""
        for each in maps:
            small = adaptive_avg_pool2d(each, small_size(each.shape[1:]))
            units = (small.double() / SUM_UNIT).round().long().cpu()
            for label, own in zip(labels, units, strict=True):
                self._add("", own)
                if label is not None and label in self.labels:
                    self._add(label, own)

    def _add(self, name: str, own: Tensor) -> None:
        self._sums[name] = self._sums[name] + own if name in self._sums else own
        self._counts[name] += 1

    def rows(self) -> list[ClassSum]:
        """Return the sums as database rows."""
        return [
            ClassSum(self.cohort, label, self._counts[label], total.numpy().astype("<i8").tobytes())
            for label, total in self._sums.items()
        ]


def mean_map(total: MapSum, size: Sequence[int]) -> NDArray[np.float64]:
    """Return the mean of the summed maps, (H, W) in [0, 1]."""
    return np.frombuffer(total.data, dtype="<i8").reshape(tuple(size)) * (SUM_UNIT / total.count)
