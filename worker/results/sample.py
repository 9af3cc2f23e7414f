"""Chooses a job's sample from its numbers, and requests the maps of the sample, which are stored."""

from collections.abc import Iterator, Sequence

from service.domain.job import Job
from service.domain.maps import MapRequest
from service.domain.variants import sample_variants
from service.measures import across_first
from service.spec.model import Json
from service.storage import Store
from worker.results.columns import ColumnTable
from worker.statistics.cohort import CohortValues
from worker.statistics.image_ranking import choose

MAX_LISTED = 64  # size of the sample in the results of a job that stores the maps of all images


def choose_sample(job: Job, store: Store, table: ColumnTable, cohorts: Sequence[CohortValues]) -> list[Json]:
    """Return the images of the sample in order, with the reasons for their choice. `maps.keep` limits their number."""
    keep = job.spec.maps.keep
    lowest = {each.name: each.ranking.why for each in across_first() if each.ranking}
    chosen = choose(cohorts, MAX_LISTED if keep == "all" else keep, lowest)
    numbers = [int(table.numbers[each.position]) for each in chosen]
    names = store.images.names(job.id, numbers)
    return [
        {
            "image": names[number],
            "label": table.labels[each.position],
            "why": list(each.why),
            "ranks": list(each.why.values()),
        }
        for number, each in zip(numbers, chosen, strict=True)
    ]


def request_maps(job: Job, store: Store, sample: Sequence[Json]) -> int:
    """Queue the maps to store. Return the number of images in the queue."""
    if job.spec.maps.keep == "all":
        numbers: Sequence[int] = range(job.image_sets[0].stop)
    else:
        numbers = store.images.find_numbers(job.id, [each["image"] for each in sample])
    return store.map_requests.enqueue(_requests(job, numbers))


def _requests(job: Job, numbers: Sequence[int]) -> Iterator[MapRequest]:
    variants = sample_variants(job.spec)
    for number in numbers:
        for cohort in range(len(job.spec.cohorts)):
            yield MapRequest(job.id, number, cohort, variants, is_permanent=True)
