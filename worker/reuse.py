"""What is known of pictures already: numbers that any job computed of the same, found by their keys.

Numbers are read one by one: a picture whose rows are all known is not even decoded, of another only what is missing
is computed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from service.domain import ACROSS_RUNS, Image, Values
from service.spec import JobSpec
from worker.audit import Wanted
from worker.keys import Keys, PictureFacts

Find = Callable[[Sequence[bytes]], Mapping[bytes, bytes]]


@dataclass(frozen=True)
class Known:
    """The rows of a picture that are known, by run (ACROSS_RUNS: across them), as key and numbers."""

    rows: Mapping[int, tuple[bytes, bytes]] = field(default_factory=dict)

    def values(self, cohort: int, image: Image) -> list[Values]:
        """The rows as this job's own."""
        return [Values(cohort, run, image.number, data, key) for run, (key, data) in self.rows.items()]


@dataclass(frozen=True)
class Memory:
    """What a cohort's pictures may be known by. Without `find` nothing is known."""

    spec: JobSpec
    runs: int
    keys: Keys
    find: Find | None = None

    @property
    def everything(self) -> Wanted:
        """What an unknown picture needs; beside a second set maps are added up, and no map is kept to be read."""
        return Wanted(frozenset(range(self.runs)), "stability" in self.spec.measures, self.spec.out_of_set is not None)

    def look(self, pictures: Sequence[PictureFacts]) -> list[Known]:
        """What is known of some pictures."""
        if self.find is None or not pictures:
            return [Known() for _ in pictures]
        asked = [self._keys_of(each) for each in pictures]
        found = self.find([key for own in asked for key in own.values()])
        return [Known({run: (key, found[key]) for run, key in own.items() if key in found}) for own in asked]

    def wanted(self, known: Known) -> Wanted:
        """What a picture still needs."""
        every = self.everything
        across = every.across and ACROSS_RUNS not in known.rows
        return Wanted(every.runs.difference(known.rows), across, every.maps)

    def spared(self, known: Known) -> int:
        """Passes that need not be made of a picture; of a run whose map alone is missing, all but one."""
        wanted = self.wanted(known)
        return (self.runs - len(wanted.runs)) * (self.spec.passes() - wanted.sees_all)

    def _keys_of(self, picture: PictureFacts) -> dict[int, bytes]:
        own = {run: self.keys.run(run, picture) for run in range(self.runs)}
        return own | ({ACROSS_RUNS: self.keys.across(picture)} if self.everything.across else {})
