import time

from service.queue import Doorbell
from service.spec import digest_of
from service.storage import Store
from service.sweeper import sweep, sweeping
from tests.audits import Ingredients


def test_what_nobody_works_on_is_given_out_and_rung_for(store: Store, ingredients: Ingredients, redis_url: str) -> None:
    doorbell = Doorbell(redis_url.removesuffix("/0") + "/2")
    spec = ingredients.spec()
    store.jobs.accept(spec, digest_of(spec), None)
    assert store.shards.claim("dead", lease_seconds=0)
    before = doorbell.length()
    sweep(store.shards, doorbell)
    assert store.shards.waiting() == 1
    assert doorbell.length() == max(before, 1)
    doorbell.close()


def test_sweeping_goes_on_in_the_background(store: Store, ingredients: Ingredients, redis_url: str) -> None:
    doorbell = Doorbell(redis_url.removesuffix("/0") + "/2")
    spec = ingredients.spec()
    store.jobs.accept(spec, digest_of(spec), None)
    with sweeping(store.shards, doorbell, seconds=0.05):
        store.shards.claim("dead", lease_seconds=0)
        end = time.monotonic() + 10
        while not store.shards.waiting() and time.monotonic() < end:
            time.sleep(0.02)
    assert store.shards.waiting() == 1
    doorbell.close()
