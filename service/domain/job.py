"""Jobs, their image sets and shards, and the results of shards. This module knows no HTTP and no SQL."""

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

# FORMAT is the version of shards, plans and stored values. A worker claims only shards of formats that it supports.
# Increment FORMAT with every change that workers of the previous version would process wrongly. Raise OLDEST_FORMAT if
# this version computes other values for older formats: open jobs of those formats then restart. With every increment,
# say in `results_format.py` what older results lack.
# Since format 3, scores of degenerate maps are missing values. Since format 4, rows have the probabilities of the
# classes, `chance` and `flipped`, and `probability_change` is that of the class predicted for the clean image.
FORMAT = 4
OLDEST_FORMAT = 4

PRIORITIES: Mapping[str, int] = {"interactive": 0, "bulk": 1}


class ShardKind(StrEnum):
    """The kinds of work in a job: list the images, audit a slice of them, take an interim look, build results."""

    PLAN = "plan"
    MEASURE = "measure"
    LOOK = "look"
    SUMMARISE = "summarise"


class ShardState(StrEnum):
    """`waiting -> running -> done`; back to waiting when the lease expires."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True)
class Job:
    """A job. Times are in seconds since the epoch; `trace` identifies the span of the request that submitted it."""

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
        """The image sets of a planned job: `images`, and `out_of_set` if the spec has it.

        The set of a job that stopped early ends where the job stopped.
        """
        total, plan = self.images_audited, self.plan or {}
        outside = plan.get("out_of_set")
        inside = ImageSet("images", 0, outside["start"] if outside else total, **plan["columns"])
        return [inside, ImageSet("out_of_set", inside.stop, total, **outside["columns"])] if outside else [inside]

    def image_set_of(self, image: int) -> "ImageSet":
        """Return the image set of an image by its number, even if the job stopped before that image."""
        return next((each for each in self.image_sets if image < each.stop), self.image_sets[-1])

    @property
    def images_audited(self) -> int:
        """The number of images that the results cover: all, unless the job stopped early."""
        return self.stopped_at if self.stopped_at is not None else self.images_total or 0

    @property
    def images_done(self) -> int:
        """The number of images done, estimated from the forward passes that were made or reused."""
        if not self.images_total or not self.passes_total:
            return 0
        if self.state is JobState.SUCCEEDED or self.stopped_at is not None:  # skipped images need no passes
            return self.images_audited
        return self.images_total * (self.passes_done + self.passes_reused) // self.passes_total


@dataclass(frozen=True)
class ImageSet:
    """An image set of a job: its field in the spec, its image numbers `start` to `stop` (exclusive), and its columns.

    `run` lists the columns of each run; `across` lists, for each cohort, the columns across its runs.
    """

    field: str
    start: int
    stop: int
    run: Sequence[str]
    across: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Shard:
    """A unit of leased work: the plan of a job, a cohort over a slice of the images, an interim look, or the summary.

    An interim look covers the first `stop` images, or all measured images if `stop` is 0. If `last_try` is set, another
    transient error fails the job.
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
    """A planned shard: one cohort over the images numbered `start` to `stop` (exclusive)."""

    cohort: int
    start: int
    stop: int


class Image(NamedTuple):
    """An image of a job. `sha256` or `skipped` is set once a shard has read the image.

    `groups` has the image's value, or None, in each of the spec's group columns.

    The class is a NamedTuple, and not a dataclass, because a job can have millions of images.
    """

    number: int
    name: str
    label: str | None
    path: str
    human: str | None = None
    sha256: str | None = None
    skipped: str | None = None
    groups: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The plan of a job: the number of images, the slices, the number of forward passes, and facts about the models.

    `slices` must not be a generator, since a retry iterates over it again.
    """

    images: int
    slices: Collection[Slice]
    passes: int
    facts: Mapping[str, Any]


ACROSS_RUNS = -1


@dataclass(frozen=True)
class Values:
    """The measured values of one image under one run (or ACROSS_RUNS), packed as float64 in the plan's column order.

    Values with the same cache key are equal in all jobs. Values whose key is None are not reused.
    """

    cohort: int
    run: int
    image: int
    data: bytes
    key: bytes | None = None


@dataclass(frozen=True)
class MapSum:
    """The pixelwise sum of the maps of `count` images under one run, as little-endian int64 that are not negative."""

    cohort: int
    run: int
    out_of_set: bool
    count: int
    data: bytes


@dataclass(frozen=True)
class ShardResult:
    """The results of a measuring shard, stored in one transaction. `reused` counts passes whose values were cached."""

    images: Sequence[Image]
    values: Sequence[Values]
    passes: int
    device: str
    map_sums: Sequence[MapSum] = ()
    reused: int = 0
    class_sums: Sequence[ClassSum] = ()
