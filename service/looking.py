"""Looking at one picture's map: which one is meant, whether it is kept, and asking a worker for it where it is not."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.checks import contradictions
from service.domain import Job
from service.errors import FilterInvalid, ImageNotFound, MapRefused
from service.jobs import Jobs
from service.kept import KeptMaps, MapRequest, Painted
from service.variants import named, narrowed, picture_of


@dataclass(frozen=True)
class Asked:
    """One map: a job's picture, a cohort and a run by number, a variant by its name."""

    job: Job
    image: int
    cohort: int
    run: int
    variant: str

    @property
    def size(self) -> Sequence[int]:
        """Height and width of the native maps."""
        assert self.job.plan is not None, "asked of finished jobs"
        size: Sequence[int] = self.job.plan["cohorts"][self.cohort]["map_size"]
        return size

    @property
    def request(self) -> MapRequest:
        """What a worker is asked for."""
        return MapRequest(self.job.id, self.image, self.cohort, [self.variant], lasting=False)


@dataclass(frozen=True)
class Found:
    """The map as float16, and the picture it is of."""

    native: bytes
    picture: Painted


def asked_for(jobs: Jobs, job: Job, image: int, which: tuple[str | None, int, str]) -> Asked:
    """The map that is meant by cohort, run and variant. Raises ImageNotFound, FilterInvalid, MapRefused, Conflict."""
    cohort, run, variant = which
    jobs.expect_success(job)
    if not 0 <= image < (job.images_total or 0):
        raise ImageNotFound(job=job.id, image=image, last=(job.images_total or 0) - 1)
    number = _cohort(job, cohort)
    runs = len(job.spec.cohorts[number].runs)
    if not 0 <= run < runs:
        raise FilterInvalid(field="query.run", detail=f"run={run}: the cohort has runs 0 to {runs - 1}")
    (row,) = jobs.store.images.slice(job.id, image, image + 1)
    if row.sha256 is None:
        raise MapRefused(image=row.name, reason=row.skipped or "it was not read")
    name = named(variant)
    own = narrowed(job.spec, [name]).model_copy(update={"cohorts": [job.spec.cohorts[number]]})
    for problem in contradictions(own):
        raise FilterInvalid(field="query.variant", detail=f"variant={variant}: {problem.detail.partition('; list')[0]}")
    return Asked(job, image, number, run, name)


def find(jobs: Jobs, asked: Asked) -> Found | None:
    """The map, where it is kept; None where a worker must make it. Raises MapRefused where none could."""
    maps = jobs.store.maps.maps(asked.job.id, asked.image, asked.cohort, asked.variant)
    shown = jobs.store.maps.picture(asked.job.id, asked.image, picture_of(asked.job.spec, asked.cohort))
    if maps is not None and shown is not None and shown.picture is not None:
        return _found(asked, maps, shown.picture)
    trouble = jobs.store.map_requests.trouble(asked.request)
    if trouble is not None:
        raise MapRefused(image=asked.image, reason=trouble)
    return None


def _found(asked: Asked, maps: KeptMaps, picture: bytes) -> Found:
    return Found(maps.of(asked.run, asked.size), Painted.unpacked(picture))


def _cohort(job: Job, name: str | None) -> int:
    names = [cohort.name for cohort in job.spec.cohorts]
    if name is None and len(names) == 1:
        return 0
    if name not in names:
        raise FilterInvalid(field="query.cohort", detail=f"name one of {', '.join(names)}")
    return names.index(name)
