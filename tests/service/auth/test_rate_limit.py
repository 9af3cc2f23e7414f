import time
from uuid import uuid4

from service.auth.rate_limit import RateLimiter
from tests.support.servers import free_port


def test_several_processes_count_the_requests_of_a_key_together(redis_url: str) -> None:
    processes, key = [RateLimiter.for_broker(3, redis_url) for _ in range(2)], str(uuid4())
    allowances = [processes[number % 2].spend(key) for number in range(4)]
    assert [each.remaining for each in allowances] == [2, 1, 0, 0]
    assert [each.is_exceeded for each in allowances] == [False, False, False, True]
    assert all(1 <= each.seconds <= 60 for each in allowances)
    assert processes[0].spend(str(uuid4())).remaining == 2, "each key has its own limit"


def test_without_redis_each_process_counts_its_own_requests_without_delay() -> None:
    for broker in (f"redis://127.0.0.1:{free_port()}/0", "amqp://127.0.0.1"):
        limiter = RateLimiter.for_broker(1, broker)
        started = time.monotonic()
        assert [limiter.spend("key").is_exceeded for _ in range(3)] == [False, True, True]
        assert time.monotonic() - started < 2
