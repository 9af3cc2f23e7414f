"""What is known of pictures already: numbers that any job computed of the same, found by their keys.

Numbers are read one by one: a picture whose rows are all known is not even decoded, of another only what is missing
is computed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.job import ACROSS_RUNS, Image, Values
from service.spec.model import JobSpec
from worker.audit.audit import Missing
from worker.audit.cache_keys import CacheKeys, ImageFacts
from worker.audit.scoring import has_across_runs

FindRows = Callable[[Sequence[bytes]], Mapping[bytes, bytes]]


@dataclass(frozen=True)
class CachedRows:
    """The rows of a picture that are known, by run (ACROSS_RUNS: across them), as key and numbers."""

    rows: Mapping[int, tuple[bytes, bytes]] = field(default_factory=dict)

    def values(self, cohort: int, image: Image) -> list[Values]:
        """The rows as this job's own."""
        return [Values(cohort, run, image.number, data, key) for run, (key, data) in self.rows.items()]


@dataclass(frozen=True)
class ResultCache:
    """What a cohort's pictures may be known by. Without `find` nothing is known."""

    spec: JobSpec
    runs: int
    keys: CacheKeys
    find: FindRows | None = None

    @property
    def everything(self) -> Missing:
        """What an unknown picture needs; beside a second set maps are added up, and no map is kept to be read."""
        return Missing(frozenset(range(self.runs)), has_across_runs(self.spec), self.spec.out_of_set is not None)

    def find_rows(self, images: Sequence[ImageFacts]) -> list[CachedRows]:
        """What is known of some pictures."""
        if self.find is None or not images:
            return [CachedRows() for _ in images]
        keys = [self._keys_of(each) for each in images]
        found = self.find([key for own in keys for key in own.values()])
        return [CachedRows({run: (key, found[key]) for run, key in own.items() if key in found}) for own in keys]

    def missing(self, known: CachedRows) -> Missing:
        """What a picture still needs."""
        every = self.everything
        across = every.across and ACROSS_RUNS not in known.rows
        return Missing(every.runs.difference(known.rows), across, every.class_maps)

    def saved_passes(self, known: CachedRows) -> int:
        """Passes that need not be made of a picture; of a run whose map alone is missing, all but one."""
        wanted = self.missing(known)
        return (self.runs - len(wanted.runs)) * (self.spec.passes() - wanted.needs_clean_pass)

    def _keys_of(self, image: ImageFacts) -> dict[int, bytes]:
        own = {run: self.keys.for_run(run, image) for run in range(self.runs)}
        return own | ({ACROSS_RUNS: self.keys.for_cohort(image)} if self.everything.across else {})
