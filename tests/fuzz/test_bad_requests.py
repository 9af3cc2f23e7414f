from collections import Counter

import httpx
import pytest

from tests.fuzz.bad_requests import bad_requests, send

COUNT = 400  # ten thousand, and what they do to memory: python -m benchmarks.bad_requests


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_no_bad_request_breaks_anything_or_learns_anything(api: httpx.Client) -> None:
    met: Counter[int] = Counter()
    assert [message for bad in bad_requests(COUNT) if (message := send(api, bad, met))] == []
    assert met[401] < COUNT / 10 < met[422], "most come past the door, and many are understood before they are refused"
    assert api.get("/readyz").status_code == 200
