"""Request and response bodies of the HTTP API."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from service.domain import OPEN_STATES, Job, JobState
from service.gate import Verdict
from service.policy import KeptPolicy, Policy
from service.spec import JobSpec
from service.verdicts import verdict_of


class FieldError(BaseModel):
    """One field that was refused, and what would mend it."""

    field: str
    detail: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it; `errors` names the fields."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] = []


class JobError(BaseModel):
    """Why a job failed."""

    type: str
    detail: str
    field: str | None = None


class Progress(BaseModel):
    """How far a job is. `images_done` counts images' worth of forward passes."""

    images_done: int
    images_total: int | None = Field(description="null until the image set has been listed")
    passes_done: int = Field(description="forward passes made")
    passes_reused: int = Field(description="forward passes spared, since an earlier job had their numbers")
    passes_per_second: float | None
    seconds_left: float | None


class Links(BaseModel):
    """Where to go on from a job."""

    self: str
    results: str
    images: str
    cancel: str
    verdict: str


class JobBody(BaseModel):
    """A job: what was asked with all defaults, where it stands, and why it failed if it did."""

    id: str
    name: str | None
    labels: dict[str, str]
    state: JobState
    progress: Progress
    error: JobError | None
    verdict: Verdict | None = Field(description="what the gate says; null without a gate, and until the job has ended")
    so_far: dict[str, Any] | None = Field(
        description="of a running job, its numbers so far with intervals; null before the first look and after the end"
    )
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    spec: JobSpec
    links: Links

    @classmethod
    def of(cls, job: Job, now: float) -> "JobBody":
        """The body of a job; `now` (seconds since the epoch) is what its speed is told by."""
        base = f"/v1/jobs/{job.id}"
        return cls(
            id=job.id,
            name=job.spec.name,
            labels=job.spec.labels,
            state=job.state,
            progress=_progress(job, now),
            error=JobError(**job.error) if job.error else None,
            verdict=verdict_of(job),
            so_far=job.so_far if job.state in OPEN_STATES else None,
            created_at=_moment(job.created_at),
            started_at=_moment(job.started_at) if job.started_at else None,
            finished_at=_moment(job.finished_at) if job.finished_at else None,
            spec=job.spec,
            links=Links(
                self=base,
                results=f"{base}/results",
                images=f"{base}/images",
                cancel=f"{base}/cancel",
                verdict=f"{base}/verdict",
            ),
        )


class JobPage(BaseModel):
    """A page of jobs, newest first."""

    items: list[JobBody]
    next: str | None = Field(description="cursor of the next page; null on the last")


class ImageBody(BaseModel):
    """One image's numbers: by cohort, those of each run and those across its runs."""

    number: int
    set: str = Field(description="`images`, or `out_of_set`")
    image: str
    label: str | None
    sha256: str | None
    skipped: str | None = Field(description="why the image could not be read; null if it was")
    cohorts: dict[str, Any] = Field(
        description="by cohort: `runs`, a list of {column: value} in the spec's order, and `across` its runs"
    )


class ImagePage(BaseModel):
    """A page of images in the image set's order."""

    items: list[ImageBody]
    next: str | None = Field(description="cursor of the next page; null on the last")


class ArtifactBody(BaseModel):
    """An upload as it is kept."""

    uri: str = Field(description="names it in a spec")
    sha256: str
    size: int = Field(description="bytes")


class InspectionBody(BaseModel):
    """What a worker saw of a model or an image set."""

    id: str
    done: bool
    found: dict[str, Any] | None = Field(
        description="of a model: format, architecture, preprocessing, classes, layers, sha256; of an image set: count, "
        "labels, first errors; null until a worker has looked"
    )


class CatalogueEntry(BaseModel):
    """A measure or a salience method."""

    name: str
    meaning: str
    source: str
    range: tuple[float, float] = Field(description="least and largest value")
    parameters: dict[str, Any] = Field(description="JSON schema of each field of the spec's options of this name")


class PolicyBody(BaseModel):
    """A policy as it is kept."""

    name: str
    version: int
    created_at: datetime
    policy: Policy

    @classmethod
    def of(cls, kept: KeptPolicy) -> "PolicyBody":
        """The body of a kept policy."""
        return cls(name=kept.name, version=kept.version, created_at=_moment(kept.created_at), policy=kept.policy)


class PolicyList(BaseModel):
    """Policies, or versions of one."""

    items: list[PolicyBody]


class Check(BaseModel):
    """Which job's results to judge, and by which version of the policy; by the newest unless given."""

    job: str = Field(min_length=1, max_length=36, pattern=r"^[^\x00]*$")
    version: int | None = Field(None, ge=1)


class Health(BaseModel):
    """Whether the process, or what it needs, answers."""

    status: str
    checks: dict[str, str] = {}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _progress(job: Job, now: float) -> Progress:
    elapsed = (job.finished_at or now) - job.started_at if job.started_at else 0.0
    speed = job.passes_done / elapsed if elapsed > 0 and job.passes_done else None
    left = (job.passes_total - job.passes_done - job.passes_reused) / speed if speed and job.passes_total else None
    return Progress(
        images_done=job.images_done,
        images_total=job.images_total,
        passes_done=job.passes_done,
        passes_reused=job.passes_reused,
        passes_per_second=round(speed, 2) if speed else None,
        seconds_left=round(left, 1) if left is not None and not job.finished_at else None,
    )
