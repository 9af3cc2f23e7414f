"""Loads a job's numbers as columns, page by page, so that the rows of all images are never in memory at once.

The values of a column are contiguous: in memory for a small job, else in a memory-mapped file.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from service.domain.job import ImageSet, Job
from service.domain.work import ACROSS_RUNS
from service.storage import Store
from service.storage.images import ReadImage
from worker.statistics.bootstrap import Array

MAX_IN_MEMORY_BYTES = 2**26  # larger tables of a cohort are memory-mapped files


@dataclass(frozen=True)
class ColumnTable:
    """The values of the n readable images of a set, sorted by digest, so that the images' order has no influence.

    `numbers` (n,) are the images' numbers in the job. `digest` is that of the image set. For each cohort, `runs` has
    the columns of each run, (n, K, C), and `across` the columns across runs, (n, D). `groups` has the values of each
    image in the group columns.
    """

    numbers: NDArray[np.int64]
    labels: Sequence[str | None]
    digest: str
    runs: Sequence[Array]
    across: Sequence[Array]
    groups: Sequence[tuple[str | None, ...]] = ()

    @cached_property
    def partners(self) -> NDArray[np.int64]:
        """The row of each image's partner, (n,): the last image with its label and a lower number; -1 for none."""
        found, last = np.full(len(self.numbers), -1, np.int64), dict[str | None, int]()
        for row in np.argsort(self.numbers):
            label = self.labels[row]
            found[row], last[label] = last.get(label, -1), row
        return found


@contextmanager
def load_columns(job: Job, image_set: ImageSet, store: Store, check: Callable[[], None]) -> Iterator[ColumnTable]:
    """Load all numbers of one image set of a measured job. `check` is called between pages, and may raise."""
    order = _Order(image_set)
    rows = sum(len(cohort.runs) for cohort in job.spec.cohorts) + sum(map(bool, image_set.across))
    for image in store.images.read_images(job.id, image_set, rows):
        order.append(image)
    total = len(order.labels)
    with TemporaryDirectory(prefix="salience-summary-") as folder:
        new = _Allocator(Path(folder))
        runs = [new.table(total, (len(cohort.runs), len(image_set.run))) for cohort in job.spec.cohorts]
        across = [new.table(total, (len(names),)) for names in image_set.across]
        for page in store.images.values(job.id, image_set):
            check()
            for each in page:
                row, position = np.frombuffer(each.data, dtype="<f8"), order.position_of(each.image)
                if position < 0:  # the image is unreadable in one of the cohorts
                    continue
                if each.run == ACROSS_RUNS:
                    across[each.cohort][position] = row
                else:
                    runs[each.cohort][position, each.run] = row
        yield ColumnTable(order.numbers, order.labels, order.digest(), runs, across, order.groups)


class _Order:
    """The position of each readable image, and the set's digest: SHA-256 over the sorted lines `digest name label`."""

    def __init__(self, image_set: ImageSet) -> None:
        self._start, self._position = image_set.start, np.full(image_set.stop - image_set.start, -1, np.int64)
        self.labels: list[str | None] = []
        self.groups: list[tuple[str | None, ...]] = []
        self._known: dict[str | None, str | None] = {}
        self._same: list[ReadImage] = []
        self._hash = hashlib.sha256()

    def append(self, each: ReadImage) -> None:
        """Append the next image in the order of digests."""
        self._position[each.number - self._start] = len(self.labels)
        self.labels.append(self._known.setdefault(each.label, each.label))
        self.groups.append(each.groups)
        if self._same and self._same[0].sha256 != each.sha256:
            self._add()
        self._same.append(each)

    def position_of(self, image: int) -> int:
        """Return the position of an image by its number in the job; -1 for an unreadable image."""
        return int(self._position[image - self._start])

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The images' numbers in the job, in the order of their positions, (n,)."""
        read = np.flatnonzero(self._position >= 0)
        return np.asarray(read[np.argsort(self._position[read])] + self._start)

    def _add(self) -> None:
        for line in sorted(f"{each.sha256}\t{each.name}\t{each.label or ''}\n" for each in self._same):
            self._hash.update(line.encode())
        self._same.clear()

    def digest(self) -> str:
        """Return the digest of the set, after all images are appended."""
        self._add()
        return self._hash.hexdigest()


@dataclass
class _Allocator:
    folder: Path
    made: int = 0

    def table(self, images: int, shape: tuple[int, ...]) -> Array:
        """Return an uninitialised table (images, *shape) with contiguous columns."""
        laid = (*shape, images)
        self.made += 1
        small = 8 * int(np.prod(laid)) <= MAX_IN_MEMORY_BYTES
        path = self.folder / str(self.made)
        table = np.empty(laid) if small else np.memmap(path, np.float64, "w+", shape=laid)
        return np.moveaxis(table, -1, 0)
