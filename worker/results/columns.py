"""A job's numbers as columns, read page by page: never all pictures' rows in memory, nor all columns.

Each column lies together, in memory where the job is small, else in a file that the kernel pages in and out.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from service.domain.job import ACROSS_RUNS, ImageSet, Job
from service.storage import Store
from service.storage.images import ReadImage
from worker.statistics.bootstrap import Array

MAX_IN_MEMORY_BYTES = 2**26  # bytes of a cohort's table


@dataclass(frozen=True)
class ColumnTable:
    """Pictures read, by content so that no order matters: labels, digest, each cohort's columns, numbers in the job.

    `numbers` (n,) are the pictures' in the job; `runs` are (n, K, C) a cohort, `across` (n, D).
    """

    numbers: NDArray[np.int64]
    labels: Sequence[str | None]
    digest: str
    runs: Sequence[Array]
    across: Sequence[Array]


@contextmanager
def load_columns(job: Job, image_set: ImageSet, store: Store, check: Callable[[], None]) -> Iterator[ColumnTable]:
    """All numbers of one of a measured job's image sets. `check` raises once that is in vain."""
    order = _Order(image_set)
    rows = sum(len(cohort.runs) for cohort in job.spec.cohorts) + sum(map(bool, image_set.across))
    for image in store.images.read_images(job.id, image_set, rows):
        order.note(image)
    total = len(order.labels)
    with TemporaryDirectory(prefix="salience-summary-") as folder:
        new = _Allocator(Path(folder))
        runs = [new.table(total, (len(cohort.runs), len(image_set.run))) for cohort in job.spec.cohorts]
        across = [new.table(total, (len(names),)) for names in image_set.across]
        for page in store.images.values(job.id, image_set):
            check()
            for each in page:
                row, position = np.frombuffer(each.data, dtype="<f8"), order.position_of(each.image)
                if position < 0:  # one cohort could not read it
                    continue
                if each.run == ACROSS_RUNS:
                    across[each.cohort][position] = row
                else:
                    runs[each.cohort][position, each.run] = row
        yield ColumnTable(order.numbers, order.labels, order.digest(), runs, across)


class _Order:
    """Where each picture read stands, and the set's digest: SHA-256 over the lines `digest name label`, sorted."""

    def __init__(self, image_set: ImageSet) -> None:
        self._start, self._position = image_set.start, np.full(image_set.stop - image_set.start, -1, np.int64)
        self.labels: list[str | None] = []
        self._known: dict[str | None, str | None] = {}
        self._same: list[ReadImage] = []
        self._hash = hashlib.sha256()

    def note(self, each: ReadImage) -> None:
        """The next picture by content."""
        self._position[each.number - self._start] = len(self.labels)
        self.labels.append(self._known.setdefault(each.label, each.label))
        if self._same and self._same[0].sha256 != each.sha256:
            self._add()
        self._same.append(each)

    def position_of(self, image: int) -> int:
        """Where the picture of that number stands; -1 where it was not read."""
        return int(self._position[image - self._start])

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The pictures' numbers, by content."""
        read = np.flatnonzero(self._position >= 0)
        return np.asarray(read[np.argsort(self._position[read])] + self._start)

    def _add(self) -> None:
        for line in sorted(f"{each.sha256}\t{each.name}\t{each.label or ''}\n" for each in self._same):
            self._hash.update(line.encode())
        self._same.clear()

    def digest(self) -> str:
        """Of all pictures noted."""
        self._add()
        return self._hash.hexdigest()


@dataclass
class _Allocator:
    folder: Path
    made: int = 0

    def table(self, images: int, shape: tuple[int, ...]) -> Array:
        """An empty table (images, *shape) whose columns lie together."""
        laid = (*shape, images)
        self.made += 1
        small = 8 * int(np.prod(laid)) <= MAX_IN_MEMORY_BYTES
        path = self.folder / str(self.made)
        table = np.empty(laid) if small else np.memmap(path, np.float64, "w+", shape=laid)
        return np.moveaxis(table, -1, 0)
