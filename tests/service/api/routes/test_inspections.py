import re
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from service.storage import inspections
from service.storage.tables.jobs import InspectionRow
from tests.support.jobs import SIZE, AuditInputs
from tests.support.worker_thread import working
from worker.runner import Runner

CLOSED_PORT = 1


def inspect(api: httpx.Client, runner: Runner, body: dict[str, Any]) -> httpx.Response:
    """Request an inspection while a worker runs. Returns the response of the API."""
    with working(runner):
        return api.post("/v1/inspect", json=body, timeout=60)


def test_the_inspection_of_a_model_gives_its_format_classes_layers_and_digest(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs
) -> None:
    model = {"uri": ingredients.models[0].as_uri(), "preprocessing": {"size": [SIZE, SIZE]}}
    answer = inspect(api, runner, {"model": model})
    assert answer.status_code == 200
    found = answer.json()["found"]
    assert (found["format"], found["classes"], found["layer"]) == ("torchscript", 2, "features")
    assert found["layers"]["features"] == [8, 6, 6]
    assert len(found["sha256"]) == 64


def test_the_inspection_of_an_image_set_gives_its_count_labels_and_first_errors(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs
) -> None:
    found = inspect(api, runner, {"images": {"uri": ingredients.images.as_uri()}}).json()["found"]
    assert (found["count"], found["labels"], found["errors"]) == (12, {"real": 6, "synthetic": 6}, [])


def test_a_refused_inspection_names_the_reason_and_the_field(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs
) -> None:
    answer = inspect(api, runner, {"model": {"uri": ingredients.models[0].as_uri(), "layer": "nowhere"}})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:salience:problem:inspection-refused")
    assert answer.json()["errors"][0]["field"] == "model.layer"
    assert "features" in answer.json()["detail"], "the message lists the candidates"


@pytest.mark.parametrize("uri", ["images", "../images", "/etc/hosts", "HTTP://127.0.0.1/x", "ftp://127.0.0.1/x"])
def test_the_api_refuses_an_invalid_uri_before_a_worker_sees_it(api: httpx.Client, uri: str) -> None:
    answer = api.post("/v1/inspect", params={"wait": 0}, json={"images": {"uri": uri}})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "images.uri")
    assert f"{uri!r} has an unknown scheme" in answer.json()["detail"]


@pytest.mark.parametrize("uri", ["file:///m.pt?\0", "file:///m.pt#\0", "https://host.example/m.pt?\0", "models:/m\0/1"])
def test_a_uri_with_a_zero_byte_is_refused(api: httpx.Client, uri: str) -> None:
    answer = api.post("/v1/inspect", params={"wait": 0}, json={"model": {"uri": uri}})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "model.uri")
    assert "percent-encode" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"model": {"uri": "file:///x"}, "images": {"uri": "file:///y"}}, {"model": {}}])
def test_a_request_must_name_either_a_model_or_an_image_set_to_inspect(api: httpx.Client, body: dict[str, Any]) -> None:
    assert api.post("/v1/inspect", json=body).status_code == 422


def test_a_client_that_does_not_wait_gets_the_location_of_its_inspection(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    answer = api.post("/v1/inspect", params={"wait": 0}, json={"images": {"uri": ingredients.images.as_uri()}})
    assert (answer.status_code, answer.json()["done"]) == (202, False)
    assert api.get(answer.headers["Location"]).status_code == 202
    assert api.get("/v1/inspections/unknown").status_code == 404


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("file:///nowhere/m.pt", "does not exist"),
        (
            f"http://127.0.0.1:{CLOSED_PORT}/m.pt?token=hidden",
            "is unavailable: .*refused; check the URI",
        ),
        (f"artifact:sha256:{'0' * 64}", "PUT /v1/artifacts"),
        ("m.pt", "has an unknown scheme; write file://"),
        ("gs://", "has no path; write file://"),
    ],
)
def test_an_unreadable_model_is_refused_with_the_reason_and_the_remedy(
    api: httpx.Client, runner: Runner, uri: str, message: str
) -> None:
    answer = inspect(api, runner, {"model": {"uri": uri}})
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert problem["field"] == "model.uri"
    assert re.search(message, problem["detail"]), problem["detail"]
    assert not re.search(r"Error:|hidden", problem["detail"])


def test_an_inspection_whose_workers_all_die_is_refused(api: httpx.Client, runner: Runner) -> None:
    answer = api.post("/v1/inspect", params={"wait": 0}, json={"images": {"uri": "s3://bucket/images"}})
    for _ in range(inspections.MAX_ATTEMPTS):
        assert runner.store.inspections.claim() is not None
        with runner.store.database.write() as session:  # let the lease of the dead worker expire
            session.execute(update(InspectionRow).values(lease_until=time.time() - 1))
    assert runner.store.inspections.claim() is None
    refused = api.get(answer.headers["Location"])
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "images.uri")
