import time
from uuid import uuid4

from service.auth.rate_limit import RateLimiter
from tests.support.servers import free_port


def test_processes_count_a_keys_requests_together(redis_url: str) -> None:
    processes, key = [RateLimiter.for_broker(3, redis_url) for _ in range(2)], str(uuid4())
    spent = [processes[number % 2].spend(key) for number in range(4)]
    assert [each.remaining for each in spent] == [2, 1, 0, 0]
    assert [each.is_exceeded for each in spent] == [False, False, False, True]
    assert all(1 <= each.seconds <= 60 for each in spent)
    assert processes[0].spend(str(uuid4())).remaining == 2, "each key has its own"


def test_without_a_redis_a_process_counts_for_itself_and_is_not_held_up() -> None:
    for broker in (f"redis://127.0.0.1:{free_port()}/0", "amqp://127.0.0.1"):
        rates = RateLimiter.for_broker(1, broker)
        began = time.monotonic()
        assert [rates.spend("key").is_exceeded for _ in range(3)] == [False, True, True]
        assert time.monotonic() - began < 2
