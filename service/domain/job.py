"""What a job is: its states, its shards, what a worker hands in. Knows no HTTP and no SQL."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from service.domain.maps import ClassSum
from service.spec.model import JobSpec, Json


class JobState(StrEnum):
    """`queued -> running -> succeeded | failed | cancelled`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)

# What a shard and its job's plan hold, and what numbers come of them. A worker does the shards of the formats it
# understands and leaves others to workers of their own version. Raise FORMAT with every change that a worker of the
# version before would get wrong, and OLDEST_FORMAT once this version no longer gives an older format its numbers: open
# jobs before it are planned anew. Format 3: degenerate maps agree with nothing, and their numbers are missing.
FORMAT = 3
OLDEST_FORMAT = 3

PRIORITIES: Mapping[str, int] = {"interactive": 0, "bulk": 1}


class ShardKind(StrEnum):
    """The kinds of work in a job: list the images, audit a slice of them, look at the numbers so far, sum up."""

    PLAN = "plan"
    MEASURE = "measure"
    LOOK = "look"
    SUMMARISE = "summarise"


class ShardState(StrEnum):
    """`waiting -> running -> done`; back to waiting when a lease runs out."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True)
class Job:
    """A job as it stands. Times are seconds since the epoch; `trace` names the span of the request that brought it."""

    id: str
    spec: JobSpec
    state: JobState
    version: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    images_total: int | None
    passes_total: int | None
    passes_done: int
    error: Json | None
    plan: Json | None
    trace: str | None = None
    tenant: str = ""
    passes_reused: int = 0
    verdict: Json | None = None
    so_far: Json | None = None
    stopped_at: int | None = None

    @property
    def image_sets(self) -> "Sequence[ImageSet]":
        """The image sets of a planned job: the pictures asked about, and those out of set where the spec has them.

        Of a job that stopped early, they are the pictures that it is decided on.
        """
        total, plan = self.images_audited, self.plan or {}
        outside = plan.get("out_of_set")
        inside = ImageSet("images", 0, outside["start"] if outside else total, **plan["columns"])
        return [inside, ImageSet("out_of_set", inside.stop, total, **outside["columns"])] if outside else [inside]

    def image_set_of(self, image: int) -> "ImageSet":
        """The image set that the picture of that number belongs to, whether it counts or was one too many."""
        return next((each for each in self.image_sets if image < each.stop), self.image_sets[-1])

    @property
    def images_audited(self) -> int:
        """How many pictures the results are of: all, unless the job stopped early."""
        return self.stopped_at if self.stopped_at is not None else self.images_total or 0

    @property
    def images_done(self) -> int:
        """Images' worth of forward passes made, or made before."""
        if not self.images_total or not self.passes_total:
            return 0
        if self.state is JobState.SUCCEEDED or self.stopped_at is not None:  # with nothing passed of skipped images
            return self.images_audited
        return self.images_total * (self.passes_done + self.passes_reused) // self.passes_total


@dataclass(frozen=True)
class ImageSet:
    """One of a job's image sets: the spec's field, its pictures' numbers, the last left out, and its columns' names.

    `run` names the columns of every run, `across` those across the runs of each cohort.
    """

    field: str
    start: int
    stop: int
    run: Sequence[str]
    across: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Shard:
    """A piece of leased work: the job's plan, a cohort over a slice of its images, a look, or its summary.

    A look is at the first `stop` images, or at all that are measured where `stop` is 0. On its last try, further
    trouble is its job's end.
    """

    id: int
    job: str
    kind: ShardKind
    cohort: int
    start: int
    stop: int
    attempt: int
    worker: str
    last_try: bool = False


@dataclass(frozen=True)
class Slice:
    """A shard to be: one cohort over the images numbered start to stop, stop left out."""

    cohort: int
    start: int
    stop: int


class Image(NamedTuple):
    """A picture of a job. `sha256` or `skipped` is known once a shard has read it.

    A tuple, since these are made by the million.
    """

    number: int
    name: str
    label: str | None
    path: str
    human: str | None = None
    sha256: str | None = None
    skipped: str | None = None


@dataclass(frozen=True)
class Plan:
    """What planning found: how many pictures, the slices, the passes, and facts about the models.

    The slices can be gone through any number of times, as storing them may be tried again: no generator can.
    """

    images: int
    slices: Collection[Slice]
    passes: int
    facts: Mapping[str, Any]


ACROSS_RUNS = -1


@dataclass(frozen=True)
class Values:
    """Numbers of one picture under one run (or ACROSS_RUNS), packed as float64 in the plan's column order.

    Numbers with one key are the same in all jobs; None: they are not to be found again.
    """

    cohort: int
    run: int
    image: int
    data: bytes
    key: bytes | None = None


@dataclass(frozen=True)
class MapSum:
    """Maps of so many pictures under one run, added pixel by pixel: int64, no number below 0, little endian."""

    cohort: int
    run: int
    out_of_set: bool
    count: int
    data: bytes


@dataclass(frozen=True)
class ShardResult:
    """All that a measuring shard found, stored at once. `reused` passes were not made, as their numbers were known."""

    images: Sequence[Image]
    values: Sequence[Values]
    passes: int
    device: str
    map_sums: Sequence[MapSum] = ()
    reused: int = 0
    class_sums: Sequence[ClassSum] = ()
