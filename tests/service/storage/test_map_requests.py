import pytest
from sqlalchemy import update

from service.kept import KeptMaps, KeptPicture, MapRequest
from service.map_tables import KeptMapRow, MapRequestRow
from service.spec import digest_of
from service.storage import Store
from tests.audits import Ingredients


@pytest.fixture
def job(store: Store, ingredients: Ingredients) -> str:
    spec = ingredients.spec()
    return store.jobs.accept(spec, digest_of(spec), None)[0].id


def wish(job: str, image: int, *variants: str, lasting: bool = True) -> MapRequest:
    return MapRequest(job, image, 0, list(variants) or ["clean"], lasting)


def test_what_a_person_waits_for_comes_before_a_sample_and_each_is_given_to_one(store: Store, job: str) -> None:
    assert store.map_requests.claim() is None
    sample, asked = wish(job, 1, "clean", "shift:1,2"), wish(job, 2, lasting=False)
    assert store.map_requests.ask([sample]) == 1
    store.map_requests.ask([asked, sample])
    assert store.map_requests.waiting() == store.map_requests.waiting(job) == 2
    assert [store.map_requests.claim(), store.map_requests.claim(), store.map_requests.claim()] == [asked, sample, None]
    assert (store.map_requests.waiting(), store.map_requests.waiting(job)) == (0, 2)
    store.map_requests.done(asked)
    assert store.map_requests.waiting(job) == 1


def test_what_cannot_be_made_says_why_for_a_while_and_is_then_tried_again(store: Store, job: str) -> None:
    asked = wish(job, 1)
    store.map_requests.ask([asked])
    store.map_requests.claim()
    assert store.map_requests.trouble(asked) is None
    store.map_requests.fail(asked, "it is gone")
    store.map_requests.ask([asked])
    assert (store.map_requests.trouble(asked), store.map_requests.claim()) == ("it is gone", None)
    with store.database.write() as session:
        session.execute(update(MapRequestRow).values(asked_at=0.0))
    store.map_requests.ask([asked])
    assert (store.map_requests.trouble(asked), store.map_requests.claim()) == (None, asked)


def test_what_kills_its_workers_is_given_up(store: Store, job: str) -> None:
    asked = wish(job, 1)
    store.map_requests.ask([asked])
    for _ in range(2):
        assert store.map_requests.claim() == asked
        with store.database.write() as session:
            session.execute(update(MapRequestRow).values(lease_until=0.0))
    assert store.map_requests.claim() is None
    assert "killed its worker" in (store.map_requests.trouble(asked) or "")


def test_what_was_made_on_demand_goes_after_a_day_and_a_sample_stays(store: Store, job: str) -> None:
    maps = [KeptMaps(0, number, "clean", b"maps") for number in (1, 2)]
    store.maps.keep(job, maps[:1], [KeptPicture(0, 1, b"sheet", b"picture", b"thumb")], lasting=True)
    store.maps.keep(job, maps, [KeptPicture(0, n, None, b"other", None) for n in (1, 2)], lasting=False)
    with store.database.write() as session:
        session.execute(update(KeptMapRow).where(KeptMapRow.until.is_not(None)).values(until=1.0))
    store.retention.expire(1e9, 1e9)
    assert store.maps.maps(job, 1, 0, "clean") == maps[0]
    assert store.maps.maps(job, 2, 0, "clean") is None
    assert store.maps.picture(job, 1, 0) == KeptPicture(0, 1, b"sheet", b"picture", b"thumb")
    assert store.maps.sheets(job, [1]) == [KeptPicture(0, 1, b"sheet", None, b"thumb")]
