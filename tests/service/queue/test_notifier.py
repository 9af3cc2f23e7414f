from service.queue.notifier import WorkNotifier
from tests.support.servers import free_port


def test_a_refill_adds_notifications_up_to_the_number_of_waiting_shards(redis_url: str) -> None:
    notifier = WorkNotifier(redis_url.removesuffix("/0") + "/1")
    notifier.notify(2)
    notifier.refill(5)
    notifier.refill(3)
    assert notifier.length() == 5
    notifier.close()


def test_the_queue_has_a_maximum_length(redis_url: str) -> None:
    notifier = WorkNotifier(redis_url.removesuffix("/0") + "/2", max_queued=4)
    notifier.refill(1_000_000)
    assert notifier.length() == 4
    notifier.notify(1_000_000)
    assert notifier.length() == 4
    notifier.close()


def test_notifying_without_a_broker_raises_no_error() -> None:
    notifier = WorkNotifier(f"redis://127.0.0.1:{free_port()}/0")
    notifier.notify()
    notifier.refill(1)
    notifier.close()
