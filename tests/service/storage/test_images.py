import pytest

from service.domain.job import Image, ImageSet
from service.domain.work import ACROSS_RUNS, Plan, ShardResult, Slice, Values
from service.spec.model import spec_digest
from service.storage import Store
from tests.support.jobs import AuditInputs

IMAGES = [Image(n, f"{n}.png", "real" if n else None, f"/{n}.png") for n in range(3)]


@pytest.fixture
def job(store: Store, ingredients: AuditInputs) -> str:
    spec = ingredients.spec()
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    planner = store.leases.claim("w", 30)
    assert planner
    store.shards.record_images(planner, IMAGES)
    store.shards.record_plan(planner, Plan(len(IMAGES), [Slice(0, 0, 3), Slice(1, 0, 3)], 6, {}))
    return job


def record(store: Store, cohort: int) -> None:
    shard = store.leases.claim("w", 30)
    assert shard
    read = [Image(n, f"{n}.png", None, "", sha256=f"{n}" * 64) for n in (0, 1)]
    values = [Values(cohort, run, n, bytes([cohort, n])) for n in (1, 0) for run in (1, ACROSS_RUNS, 0)]
    skipped = Image(2, "2.png", None, "", skipped="not an image")
    store.shards.record_values(shard, ShardResult([*read, skipped], values, 3, "cpu"))


def test_the_values_of_images_are_ordered_by_image_cohort_and_run(store: Store, job: str) -> None:
    record(store, 0)
    record(store, 1)
    found = store.images.measured(job, 0, 10)
    assert [each.image.number for each in found] == [0, 1, 2]
    assert [(v.cohort, v.run) for v in found[1].values] == [(0, -1), (0, 0), (0, 1), (1, -1), (1, 0), (1, 1)]
    assert found[1].values[3].data == bytes([1, 1])
    assert found[1].image == Image(1, "1.png", "real", "/1.png", sha256="1" * 64)


def test_a_skipped_image_is_stored_once_with_its_reason(store: Store, job: str) -> None:
    record(store, 0)
    record(store, 1)
    assert store.images.skipped(job) == [Image(2, "2.png", "real", "/2.png", skipped="not an image")]
    assert store.images.measured(job, 2, 3)[0].values == []


def test_images_are_read_only_once_all_their_runs_are_recorded(store: Store, job: str) -> None:
    record(store, 0)
    everything, last = (ImageSet("images", start, 3, [], []) for start in (0, 1))
    assert list(store.images.read_images(job, everything, 6)) == []
    record(store, 1)
    assert [(e.number, e.sha256) for e in store.images.read_images(job, everything, 6)] == [
        (0, "0" * 64),
        (1, "1" * 64),
    ]
    assert [each.number for each in store.images.read_images(job, last, 6)] == [1]
    assert len([value for page in store.images.values(job, everything) for value in page]) == 2 * 2 * 3
    assert len([value for page in store.images.values(job, last) for value in page]) == 2 * 3


def test_a_slice_of_images_excludes_its_end(store: Store, job: str) -> None:
    assert [image.number for image in store.images.slice(job, 1, 3)] == [1, 2]
