import threading

import httpx
import pytest

from tests.support.api import submit
from tests.support.jobs import AuditInputs

# On SQLite alone, since other tests run the same queries on Postgres.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_an_event_stream_sends_each_state_of_a_job_with_its_version_until_the_job_ends(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    path = submit(api, ingredients)["links"]["self"]
    threading.Timer(0.3, lambda: api.post(f"{path}/cancel")).start()
    with api.stream("GET", f"{path}/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    assert [line for line in lines if line.startswith(("event", "id"))] == [
        "event: state", "id: 1", "event: state", "id: 2",
    ]  # fmt: skip
    assert '"state":"cancelled"' in [line for line in lines if line.startswith("data")][-1]


def test_a_client_that_has_seen_the_last_event_gets_204(api: httpx.Client, ingredients: AuditInputs) -> None:
    path = submit(api, ingredients)["links"]["self"]
    api.post(f"{path}/cancel")
    assert "id: 2" in api.get(f"{path}/events", headers={"Last-Event-ID": "1"}).text
    assert api.get(f"{path}/events", headers={"Last-Event-ID": "2"}).status_code == 204
    assert "id: 2" in api.get(f"{path}/events", headers={"Last-Event-ID": "9" * 5000}).text


def test_the_event_stream_of_the_job_list_uses_its_filters(api: httpx.Client, ingredients: AuditInputs) -> None:
    wanted = submit(api, ingredients, labels={"team": "x"})["id"]
    submit(api, ingredients)
    with api.stream("GET", "/v1/jobs/events", params={"label": "team:x"}) as answer:
        event, data, version = [line for line in _until(answer, "id:") if not line.startswith("retry")]
    assert (event, version) == ("event: listed", "id: 1")
    assert wanted in data


def _until(answer: httpx.Response, start: str) -> list[str]:
    """Return the lines of a response up to the first line that begins with `start`."""
    found = []
    for line in answer.iter_lines():
        if line:
            found.append(line)
        if line.startswith(start):
            break
    return found


@pytest.mark.parametrize(("path", "status"), [("/v1/jobs/nobody/events", 404), ("/v1/jobs/events?label=plain", 422)])
def test_an_invalid_request_for_an_event_stream_gets_a_problem(api: httpx.Client, path: str, status: int) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
