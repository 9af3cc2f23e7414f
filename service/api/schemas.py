"""Request and response bodies of the HTTP API."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from service.domain.job import OPEN_STATES, Job, JobState
from service.domain.policy import Policy, StoredPolicy
from service.gate import Verdict
from service.jobs.verdicts import verdict_for
from service.spec.model import JobSpec


class FieldError(BaseModel):
    """One field that was refused."""

    field: str = Field(description="Path of the field, such as cohorts[0].model.layer.")
    detail: str = Field(description="What is wrong, and what to do about it.")


class Problem(BaseModel):
    """An error in the format of RFC 9457, Problem Details for HTTP APIs."""

    type: str = Field(description="Stable type: `urn:salience:problem:KIND`.")
    title: str = Field(description="The kind of the problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong, where, and what to do.")
    instance: str = Field(description="Path of the request.")
    errors: list[FieldError] = Field([], description="The fields that were refused, if the error is about fields.")


class JobError(BaseModel):
    """Why a job failed."""

    type: str = Field(description="Kind of the error.")
    detail: str = Field(description="What is wrong, and what to do about it.")
    field: str | None = Field(None, description="Field of the spec that the error is about.")


class Progress(BaseModel):
    """Progress of a job."""

    images_done: int = Field(description="Number of images done, estimated from the share of forward passes made.")
    images_total: int | None = Field(description="Number of images to audit; null until the image set is listed.")
    passes_done: int = Field(description="Number of forward passes made.")
    passes_reused: int = Field(description="Number of forward passes that an earlier job had already made.")
    passes_per_second: float | None = Field(description="Forward passes per second since the job started.")
    seconds_left: float | None = Field(description="Estimated seconds until the job ends.")


class Links(BaseModel):
    """Paths of the resources of a job."""

    self: str = Field(description="The job.")
    results: str = Field(description="The results of the job.")
    images: str = Field(description="The measured values of each image.")
    cancel: str = Field(description="A POST request to this path cancels the job.")
    verdict: str = Field(description="The verdict of the job's gate.")


class JobBody(BaseModel):
    """A job: its spec with all defaults, its state and progress, and its error if it failed."""

    id: str = Field(description="ID of the job.")
    name: str | None = Field(description="Name from the spec.")
    labels: dict[str, str] = Field(description="Labels from the spec.")
    state: JobState = Field(description="State of the job.")
    progress: Progress = Field(description="Progress of the job.")
    error: JobError | None = Field(description="Why the job failed; null if it did not.")
    verdict: Verdict | None = Field(description="Verdict of the gate; null without a gate and until the job has ended.")
    so_far: dict[str, Any] | None = Field(
        description="Interim results of a running job with their intervals; null before the first interim look and "
        "once the job has ended."
    )
    created_at: datetime = Field(description="When the job was accepted.")
    started_at: datetime | None = Field(description="When a worker started the job.")
    finished_at: datetime | None = Field(description="When the job ended.")
    spec: JobSpec = Field(description="The spec with all defaults.")
    links: Links = Field(description="Paths of the resources of the job.")

    @classmethod
    def from_job(cls, job: Job, now: float) -> "JobBody":
        """Create the body of a job. Its speed is computed up to `now`, in seconds since the epoch."""
        base = f"/v1/jobs/{job.id}"
        return cls(
            id=job.id,
            name=job.spec.name,
            labels=job.spec.labels,
            state=job.state,
            progress=_progress(job, now),
            error=JobError(**job.error) if job.error else None,
            verdict=verdict_for(job),
            so_far=job.so_far if job.state in OPEN_STATES else None,
            created_at=_to_datetime(job.created_at),
            started_at=_to_datetime(job.started_at) if job.started_at else None,
            finished_at=_to_datetime(job.finished_at) if job.finished_at else None,
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

    items: list[JobBody] = Field(description="The jobs.")
    next: str | None = Field(description="Cursor of the next page; null on the last page.")


class ImageBody(BaseModel):
    """The measured values of one image."""

    number: int = Field(description="Number of the image in the job, from 0.")
    set: str = Field(description="`images` or `out_of_set`.")
    image: str = Field(description="Name of the image in its set.")
    label: str | None = Field(description="Label of the image.")
    groups: dict[str, str | None] = Field(
        description="The image's value in each column of `images.groups`; null without a value, empty out of the set."
    )
    sha256: str | None = Field(description="SHA-256 of the image file.")
    skipped: str | None = Field(description="Why the image could not be read; null if it could.")
    cohorts: dict[str, Any] = Field(
        description="For each cohort: `runs`, a list with an object {column: value} for each run of the spec, and "
        "`across`, an object with the values that compare the runs."
    )


class ImagePage(BaseModel):
    """A page of images in the order of the image set."""

    items: list[ImageBody] = Field(description="The images.")
    next: str | None = Field(description="Cursor of the next page; null on the last page.")


class ArtifactBody(BaseModel):
    """A stored upload."""

    uri: str = Field(description="URI by which specs name the upload.")
    sha256: str = Field(description="SHA-256 of the upload.")
    size: int = Field(description="Size of the upload in bytes.")


class InspectionBody(BaseModel):
    """What a worker found in a model or an image set."""

    id: str = Field(description="ID of the inspection.")
    done: bool = Field(description="Whether a worker has finished the inspection.")
    found: dict[str, Any] | None = Field(
        description="For a model: format, architecture, preprocessing, classes, layers, sha256. For an image set: "
        "number of images, labels, first errors. Null until the inspection is done."
    )


class CatalogueEntry(BaseModel):
    """A measure or a salience method."""

    name: str = Field(description="Name of the measure or method in a spec.")
    meaning: str = Field(description="What the values say, and how to interpret them.")
    source: str = Field(description="Publication of the measure or method.")
    range: tuple[float, float] = Field(description="Smallest and largest possible value.")
    parameters: dict[str, Any] = Field(description="JSON schema of each option.")


class PolicyBody(BaseModel):
    """A version of a policy."""

    name: str = Field(description="Name of the policy.")
    version: int = Field(description="Number of the version, from 1.")
    created_at: datetime = Field(description="When this version was stored.")
    policy: Policy = Field(description="The policy.")

    @classmethod
    def from_policy(cls, stored: StoredPolicy) -> "PolicyBody":
        """Create the body of a stored policy."""
        return cls(
            name=stored.name, version=stored.version, created_at=_to_datetime(stored.created_at), policy=stored.policy
        )


class PolicyList(BaseModel):
    """Policies, or versions of one policy."""

    items: list[PolicyBody] = Field(description="The policies or versions.")


class Check(BaseModel):
    """Which results to judge by a policy."""

    job: str = Field(min_length=1, max_length=36, pattern=r"^[^\x00]*$", description="ID of a job that succeeded.")
    version: int | None = Field(None, ge=1, description="Version of the policy. Default: the newest.")


class Health(BaseModel):
    """Whether the process is alive, or ready for requests."""

    status: str = Field(description="`ok`, or what is wrong.")
    checks: dict[str, str] = Field({}, description="The status of each service that the process needs.")


def _to_datetime(seconds: float) -> datetime:
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
