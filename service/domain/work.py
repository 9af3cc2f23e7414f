"""The work of a job: its plan, its shards, and the results of shards. This module knows no HTTP and no SQL."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.domain.job import Image
from service.domain.maps import ClassSum


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
