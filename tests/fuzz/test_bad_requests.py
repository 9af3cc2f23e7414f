from collections import Counter

import httpx
import pytest

from tests.support.bad_requests import bad_requests, send

COUNT = 400  # `python -m benchmarks.bad_requests` sends 10,000 requests and measures memory


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_no_invalid_request_causes_a_server_error_or_a_leak(api: httpx.Client) -> None:
    met: Counter[int] = Counter()
    assert [message for bad in bad_requests(COUNT) if (message := send(api, bad, met))] == []
    assert met[401] < COUNT / 10 < met[422], "most requests pass authentication, and validation refuses many"
    assert api.get("/readyz").status_code == 200
