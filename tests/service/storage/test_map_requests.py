import pytest
from sqlalchemy import update

from service.domain.maps import MapRequest, StoredImage, StoredMaps
from service.spec.model import spec_digest
from service.storage import Store
from service.storage.tables.maps import KeptMapRow, MapRequestRow
from tests.support.jobs import AuditInputs


@pytest.fixture
def job(store: Store, ingredients: AuditInputs) -> str:
    spec = ingredients.spec()
    return store.jobs.accept(spec, spec_digest(spec), None)[0].id


def make_request(job: str, image: int, *variants: str, is_permanent: bool = True) -> MapRequest:
    return MapRequest(job, image, 0, list(variants) or ["clean"], is_permanent)


def test_map_requests_of_people_precede_those_of_samples_and_are_claimed_once(store: Store, job: str) -> None:
    assert store.map_requests.claim() is None
    sample, request = make_request(job, 1, "clean", "shift:1,2"), make_request(job, 2, is_permanent=False)
    assert store.map_requests.enqueue([sample]) == 1
    store.map_requests.enqueue([request, sample])
    assert store.map_requests.pending_count() == store.map_requests.pending_count(job) == 2
    assert [store.map_requests.claim(), store.map_requests.claim(), store.map_requests.claim()] == [
        request,
        sample,
        None,
    ]
    assert (store.map_requests.pending_count(), store.map_requests.pending_count(job)) == (0, 2)
    store.map_requests.complete(request)
    assert store.map_requests.pending_count(job) == 1


def test_a_failed_map_request_has_its_error_for_a_while_and_can_then_be_repeated(store: Store, job: str) -> None:
    request = make_request(job, 1)
    store.map_requests.enqueue([request])
    store.map_requests.claim()
    assert store.map_requests.error_of(request) is None
    store.map_requests.fail(request, "the file is missing")
    store.map_requests.enqueue([request])
    assert (store.map_requests.error_of(request), store.map_requests.claim()) == ("the file is missing", None)
    with store.database.write() as session:
        session.execute(update(MapRequestRow).values(asked_at=0.0))
    store.map_requests.enqueue([request])
    assert (store.map_requests.error_of(request), store.map_requests.claim()) == (None, request)


def test_a_map_request_that_crashes_two_workers_fails(store: Store, job: str) -> None:
    request = make_request(job, 1)
    store.map_requests.enqueue([request])
    for _ in range(2):
        assert store.map_requests.claim() == request
        with store.database.write() as session:
            session.execute(update(MapRequestRow).values(lease_until=0.0))
    assert store.map_requests.claim() is None
    assert "crashed two workers" in (store.map_requests.error_of(request) or "")


def test_maps_made_on_request_expire_and_maps_of_a_sample_do_not(store: Store, job: str) -> None:
    maps = [StoredMaps(0, number, "clean", b"maps") for number in (1, 2)]
    store.maps.add(job, maps[:1], [StoredImage(0, 1, b"sheet", b"picture", b"thumb")], is_permanent=True)
    store.maps.add(job, maps, [StoredImage(0, n, None, b"other", None) for n in (1, 2)], is_permanent=False)
    with store.database.write() as session:
        session.execute(update(KeptMapRow).where(KeptMapRow.until.is_not(None)).values(until=1.0))
    store.retention.expire(1e9, 1e9)
    assert store.maps.maps(job, 1, 0, "clean") == maps[0]
    assert store.maps.maps(job, 2, 0, "clean") is None
    assert store.maps.image(job, 1, 0) == StoredImage(0, 1, b"sheet", b"picture", b"thumb")
    assert store.maps.sheets(job, [1]) == [StoredImage(0, 1, b"sheet", None, b"thumb")]
