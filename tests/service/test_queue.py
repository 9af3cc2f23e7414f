from service.queue import Doorbell
from tests.servers import free_port


def test_the_queue_is_topped_up_to_the_number_of_waiting_shards(redis_url: str) -> None:
    doorbell = Doorbell(redis_url.removesuffix("/0") + "/1")
    doorbell.ring(2)
    doorbell.top_up(5)
    doorbell.top_up(3)
    assert doorbell.length() == 5
    doorbell.close()


def test_of_very_many_shards_the_broker_holds_no_more_rings_than_wake_everybody(redis_url: str) -> None:
    doorbell = Doorbell(redis_url.removesuffix("/0") + "/2", most=4)
    doorbell.top_up(1_000_000)
    assert doorbell.length() == 4
    doorbell.ring(1_000_000)
    assert doorbell.length() == 4
    doorbell.close()


def test_a_ring_without_a_broker_loses_nothing_but_the_ring() -> None:
    doorbell = Doorbell(f"redis://127.0.0.1:{free_port()}/0")
    doorbell.ring()
    doorbell.top_up(1)
    doorbell.close()
