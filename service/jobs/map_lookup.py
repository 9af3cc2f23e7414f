"""Finds the stored map of one image, and describes the request for a worker if the map is not stored."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from service.domain.job import Job
from service.domain.maps import MapRequest, StoredMaps, unpack_image
from service.domain.variants import canonical_name, image_cohort, with_only_variants
from service.errors import FilterInvalid, ImageNotFound, MapRefused
from service.jobs.service import Jobs
from service.jobs.validation.fields import preprocessing_problems


@dataclass(frozen=True)
class MapQuery:
    """The address of one map: the image, cohort and run of a job by number, and the variant by name."""

    job: Job
    image: int
    cohort: int
    run: int
    variant: str

    @property
    def size(self) -> Sequence[int]:
        """Height and width of the native maps."""
        assert self.job.plan is not None, "a finished job has a plan"
        size: Sequence[int] = self.job.plan["cohorts"][self.cohort]["map_size"]
        return size

    @property
    def request(self) -> MapRequest:
        """The request for a worker to make this map."""
        return MapRequest(self.job.id, self.image, self.cohort, [self.variant], is_permanent=False)


@dataclass(frozen=True)
class FoundMap:
    """A map as float16 bytes, and the image that it explains."""

    native: bytes
    image: Image.Image


def resolve_query(jobs: Jobs, job: Job, image: int, address: tuple[str | None, int, str]) -> MapQuery:
    """Resolve a cohort, a run and a variant to a query. Raises ImageNotFound, FilterInvalid, MapRefused, Conflict."""
    cohort, run, variant = address
    jobs.expect_success(job)
    if not 0 <= image < (job.images_total or 0):
        raise ImageNotFound(job=job.id, image=image, last=(job.images_total or 0) - 1)
    number = _cohort(job, cohort)
    runs = len(job.spec.cohorts[number].runs)
    if not 0 <= run < runs:
        raise FilterInvalid(field="query.run", detail=f"run={run}: no such run; the cohort has runs 0 to {runs - 1}")
    (row,) = jobs.store.images.slice(job.id, image, image + 1)
    if row.sha256 is None:
        raise MapRefused(image=row.name, reason=row.skipped or "the image was not read")
    name = canonical_name(variant)
    spec = with_only_variants(job.spec, [name]).model_copy(update={"cohorts": [job.spec.cohorts[number]]})
    for problem in preprocessing_problems(spec):
        raise FilterInvalid(field="query.variant", detail=f"variant={variant}: {problem.detail.partition('; list')[0]}")
    return MapQuery(job, image, number, run, name)


def find_map(jobs: Jobs, query: MapQuery) -> FoundMap | None:
    """Return the map, or None if it is not stored. Raises MapRefused if a worker could not make it."""
    maps = jobs.store.maps.maps(query.job.id, query.image, query.cohort, query.variant)
    image = jobs.store.maps.image(query.job.id, query.image, image_cohort(query.job.spec, query.cohort))
    if maps is not None and image is not None and image.palette_image is not None:
        return _to_map(query, maps, image.palette_image)
    reason = jobs.store.map_requests.error_of(query.request)
    if reason is not None:
        raise MapRefused(image=query.image, reason=reason)
    return None


def _to_map(query: MapQuery, maps: StoredMaps, image: bytes) -> FoundMap:
    return FoundMap(maps.of_run(query.run, query.size), unpack_image(image))


def _cohort(job: Job, name: str | None) -> int:
    names = [cohort.name for cohort in job.spec.cohorts]
    if name is None and len(names) == 1:
        return 0
    if name not in names:
        raise FilterInvalid(
            field="query.cohort", detail=f"cohort={name}: no such cohort; use one of {', '.join(names)}"
        )
    return names.index(name)
