"""Cuts the images of a job into slices, which shards audit."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.domain.work import Slice
from worker.planning.survey import Survey
from worker.statistics.bootstrap import generator


@dataclass(frozen=True, eq=False)
class Slices(Collection[Slice]):
    """All slices of a job: each cohort has one slice for each range of image numbers.

    `parts` (P, 2) has the ranges: the number of the first image, and the number after the last image.
    """

    parts: NDArray[np.int64]
    cohorts: int

    def __len__(self) -> int:
        return len(self.parts) * self.cohorts

    def __iter__(self) -> Iterator[Slice]:
        return (Slice(cohort, int(start), int(stop)) for start, stop in self.parts for cohort in range(self.cohorts))

    def __contains__(self, each: object) -> bool:
        return any(each == own for own in self)


def ranges(image_set: Survey, size: int, seed: int | None) -> NDArray[np.int64]:
    """Return the ranges of image numbers that the slices have, (P, 2): the first number, and the number after the last.

    With a seed, the ranges are in random order, so that the finished slices are a random sample of the set at any time.
    """
    starts = np.arange(image_set.start, image_set.stop, size, dtype=np.int64)
    if seed is not None:
        starts = starts[generator("slices", seed).permutation(len(starts))]
    return np.stack([starts, np.minimum(starts + size, image_set.stop)], axis=1)
