"""Finds numbers that any job has computed for the same images, by their cache keys.

The worker does not decode an image whose rows are all cached, and computes only the missing rows of other images.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.job import Image
from service.domain.work import ACROSS_RUNS, Values
from service.spec.model import JobSpec
from worker.audit.audit import Missing
from worker.audit.cache_keys import CacheKeys, ImageFacts
from worker.audit.scoring import has_across_runs

FindRows = Callable[[Sequence[bytes]], Mapping[bytes, bytes]]


@dataclass(frozen=True)
class CachedRows:
    """The cached rows of an image: the cache key and the stored numbers of each run.

    The numbers that compare the runs are stored under ACROSS_RUNS in place of a run's number.
    """

    rows: Mapping[int, tuple[bytes, bytes]] = field(default_factory=dict)

    def values(self, cohort: int, image: Image) -> list[Values]:
        """Return the cached numbers as rows of this job, for one of its images."""
        return [Values(cohort, run, image.number, data, key) for run, (key, data) in self.rows.items()]


@dataclass(frozen=True)
class ResultCache:
    """The cache of a cohort's numbers. Without `find` it is empty."""

    spec: JobSpec
    runs: int
    keys: CacheKeys
    find: FindRows | None = None

    @property
    def everything(self) -> Missing:
        """All numbers of an image. Jobs with a second image set also need the image's maps, which are not cached."""
        return Missing(frozenset(range(self.runs)), has_across_runs(self.spec), self.spec.out_of_set is not None)

    def find_rows(self, images: Sequence[ImageFacts]) -> list[CachedRows]:
        """Return the cached rows of each image."""
        if self.find is None or not images:
            return [CachedRows() for _ in images]
        keys = [self._keys_of(each) for each in images]
        found = self.find([key for own in keys for key in own.values()])
        return [CachedRows({run: (key, found[key]) for run, key in own.items() if key in found}) for own in keys]

    def missing(self, known: CachedRows) -> Missing:
        """Return the numbers that the cached rows of an image lack."""
        every = self.everything
        across = every.across and ACROSS_RUNS not in known.rows
        return Missing(every.runs.difference(known.rows), across, every.class_maps)

    def saved_passes(self, known: CachedRows) -> int:
        """Return how many forward passes the cache saves for an image.

        A run whose numbers are cached saves all its passes, or all but one if its clean map is still needed.
        """
        wanted = self.missing(known)
        return (self.runs - len(wanted.runs)) * (self.spec.passes() - wanted.needs_clean_pass)

    def _keys_of(self, image: ImageFacts) -> dict[int, bytes]:
        own = {run: self.keys.for_run(run, image) for run in range(self.runs)}
        return own | ({ACROSS_RUNS: self.keys.for_cohort(image)} if self.everything.across else {})
