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


def wish(job: str, image: int, *variants: str, lasting: bool = True) -> MapRequest:
    return MapRequest(job, image, 0, list(variants) or ["clean"], lasting)


def test_what_a_person_waits_for_comes_before_a_sample_and_each_is_given_to_one(store: Store, job: str) -> None:
    assert store.map_requests.claim() is None
    sample, request = wish(job, 1, "clean", "shift:1,2"), wish(job, 2, lasting=False)
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


def test_what_cannot_be_made_says_why_for_a_while_and_is_then_tried_again(store: Store, job: str) -> None:
    request = wish(job, 1)
    store.map_requests.enqueue([request])
    store.map_requests.claim()
    assert store.map_requests.error_of(request) is None
    store.map_requests.fail(request, "it is gone")
    store.map_requests.enqueue([request])
    assert (store.map_requests.error_of(request), store.map_requests.claim()) == ("it is gone", None)
    with store.database.write() as session:
        session.execute(update(MapRequestRow).values(asked_at=0.0))
    store.map_requests.enqueue([request])
    assert (store.map_requests.error_of(request), store.map_requests.claim()) == (None, request)


def test_what_kills_its_workers_is_given_up(store: Store, job: str) -> None:
    request = wish(job, 1)
    store.map_requests.enqueue([request])
    for _ in range(2):
        assert store.map_requests.claim() == request
        with store.database.write() as session:
            session.execute(update(MapRequestRow).values(lease_until=0.0))
    assert store.map_requests.claim() is None
    assert "killed its worker" in (store.map_requests.error_of(request) or "")


def test_what_was_made_on_demand_goes_after_a_day_and_a_sample_stays(store: Store, job: str) -> None:
    maps = [StoredMaps(0, number, "clean", b"maps") for number in (1, 2)]
    store.maps.add(job, maps[:1], [StoredImage(0, 1, b"sheet", b"picture", b"thumb")], lasting=True)
    store.maps.add(job, maps, [StoredImage(0, n, None, b"other", None) for n in (1, 2)], lasting=False)
    with store.database.write() as session:
        session.execute(update(KeptMapRow).where(KeptMapRow.until.is_not(None)).values(until=1.0))
    store.retention.expire(1e9, 1e9)
    assert store.maps.maps(job, 1, 0, "clean") == maps[0]
    assert store.maps.maps(job, 2, 0, "clean") is None
    assert store.maps.image(job, 1, 0) == StoredImage(0, 1, b"sheet", b"picture", b"thumb")
    assert store.maps.sheets(job, [1]) == [StoredImage(0, 1, b"sheet", None, b"thumb")]
