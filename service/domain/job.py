"""Jobs, their image sets and images. This module knows no HTTP and no SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from service.spec.model import JobSpec, Json


class JobState(StrEnum):
    """`queued -> running -> succeeded | failed | cancelled`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)

PRIORITIES: Mapping[str, int] = {"interactive": 0, "bulk": 1}


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

    @property
    def cohort_facts(self) -> Mapping[str, Json]:
        """The facts about each cohort in the plan of a planned job, by the cohort's name."""
        assert self.plan is not None, "the facts about cohorts are known once the job is planned"
        return {cohort.name: own for cohort, own in zip(self.spec.cohorts, self.plan["cohorts"], strict=True)}

    def groups_of(self, image: "Image") -> dict[str, str | None]:
        """Return an image's value in each group column of the spec; empty for out-of-set images."""
        return dict(zip(self.spec.images.groups, image.groups, strict=True)) if image.groups else {}

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
