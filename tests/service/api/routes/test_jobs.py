import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import submit, work_off
from tests.support.jobs import AuditInputs
from worker.runner import Runner


def test_the_response_to_a_submitted_job_has_its_location_and_the_defaults(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    answer = api.post("/v1/jobs", json=ingredients.body(name="first", labels={"team": "x"}))
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert int(answer.headers["Retry-After"]) > 0
    assert (job["state"], job["name"], job["labels"]) == ("queued", "first", {"team": "x"})
    assert job["spec"]["salience"] == {"method": "gradcam", "target": "predicted"}


def test_an_idempotency_key_returns_the_same_job_and_refuses_another_spec(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    key = {"Idempotency-Key": "build-7"}
    first, again = (api.post("/v1/jobs", json=ingredients.body(), headers=key) for _ in range(2))
    other = api.post("/v1/jobs", json=ingredients.body(seed=1), headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-key-reused")


def test_a_job_is_audited_and_its_results_are_read(api: httpx.Client, ingredients: AuditInputs, runner: Runner) -> None:
    job = submit(api, ingredients, cohorts=[ingredients.cohort("a", 0, 1), ingredients.cohort("b", 1, 2)])
    assert api.get(f"{job['links']['results']}").status_code == 409
    work_off(runner)
    ended = api.get(job["links"]["self"]).json()
    assert (ended["state"], ended["error"], ended["verdict"]) == ("succeeded", None, None)
    assert ended["progress"]["images_done"] == ended["progress"]["images_total"] == 12
    results = api.get(job["links"]["results"]).json()
    assert results["job"] == job["id"]
    assert {each["measure"] for each in results["differences"]} >= {"entropy", "stability", "degradation"}


def test_a_client_that_has_the_current_version_of_a_job_gets_304(api: httpx.Client, ingredients: AuditInputs) -> None:
    path = submit(api, ingredients)["links"]["self"]
    etag = api.get(path).headers["ETag"]
    assert api.get(path, headers={"If-None-Match": etag}).status_code == 304
    api.post(f"{path}/cancel")
    assert api.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_a_request_that_waits_ends_with_the_next_change_of_the_job(api: httpx.Client, ingredients: AuditInputs) -> None:
    path = submit(api, ingredients)["links"]["self"]
    threading.Timer(0.3, lambda: api.post(f"{path}/cancel")).start()
    start = time.monotonic()
    assert api.get(path, params={"wait": 30}).json()["state"] == "cancelled"
    assert 0.2 < time.monotonic() - start < 10


def test_a_request_that_waits_ends_after_the_given_time(api: httpx.Client, ingredients: AuditInputs) -> None:
    path = submit(api, ingredients)["links"]["self"]
    etag = api.get(path).headers["ETag"]
    start = time.monotonic()
    assert api.get(path, params={"wait": 0.4}, headers={"If-None-Match": etag}).status_code == 304
    assert time.monotonic() - start >= 0.4


def test_jobs_are_listed_newest_first_in_pages_that_a_cursor_links(api: httpx.Client, ingredients: AuditInputs) -> None:
    jobs = [submit(api, ingredients)["id"] for _ in range(3)]
    first = api.get("/v1/jobs", params={"limit": 2}).json()
    rest = api.get("/v1/jobs", params={"limit": 2, "cursor": first["next"]}).json()
    assert [job["id"] for job in first["items"] + rest["items"]] == jobs[::-1]
    assert rest["next"] is None


def test_jobs_are_filtered_by_state_name_and_labels(api: httpx.Client, ingredients: AuditInputs) -> None:
    wanted = submit(api, ingredients, name="n", labels={"team": "a:b"})["id"]
    submit(api, ingredients, name="n")
    found = api.get("/v1/jobs", params={"state": "queued", "name": "n", "label": "team:a:b"}).json()
    assert [job["id"] for job in found["items"]] == [wanted]


def test_an_open_job_can_be_cancelled_and_an_ended_job_cannot(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner
) -> None:
    job, other = submit(api, ingredients), submit(api, ingredients)
    assert api.post(job["links"]["cancel"]).json()["state"] == "cancelled"
    assert api.post(job["links"]["cancel"]).status_code == 200
    work_off(runner)
    refused = api.post(other["links"]["cancel"])
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:salience:problem:job-ended"
    assert "has no results, because it is cancelled" in api.get(job["links"]["results"]).json()["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"cohorts": []}, "cohorts"),
        ({"images": {"uri": "file:///nowhere"}}, "images.uri"),
        ({"measures": ["beauty"]}, "measures[0]"),
        ({"cohorts": [{"name": "c", "runs": [{"uri": "file:///no.pt"}]}]}, "cohorts[0].runs[0].uri"),
        ({"cohorts": "all"}, "cohorts"),
        ({"seed": 2**63}, "seed"),
        ({"name": "\ud800"}, "name"),
    ],
)
def test_an_invalid_spec_gets_a_problem_that_names_the_field(
    api: httpx.Client, ingredients: AuditInputs, changes: dict[str, Any], field: str
) -> None:
    text = json.dumps(ingredients.body(**changes))
    answer = api.post("/v1/jobs", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"a"', "\xff", '{"cohorts": ' + "[" * 2000])
def test_a_body_that_is_not_a_spec_gets_a_problem(api: httpx.Client, text: str) -> None:
    answer = api.post("/v1/jobs", content=text.encode("latin-1"), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/jobs/nobody", 404),
        ("/v1/jobs/%00", 422),
        ("/v1/jobs/nobody/results", 404),
        ("/v1/jobs/nobody/images", 404),
        ("/nowhere", 404),
        ("/v1/jobs?cursor=%21", 422),
        ("/v1/jobs?cursor=LTE%3D", 422),
        ("/v1/jobs?limit=0", 422),
        ("/v1/jobs?limit=1000", 422),
        ("/v1/jobs?state=lost", 422),
        ("/v1/jobs?label=plain", 422),
        ("/v1/jobs?name=%00", 422),
        ("/v1/jobs?label=a:%00", 422),
        ("/v1/jobs/nobody?wait=-1", 422),
        ("/v1/jobs/nobody?wait=nan", 422),
    ],
)
def test_an_invalid_url_gets_a_problem(api: httpx.Client, path: str, status: int) -> None:
    answer = api.get(path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_wrong_method_gets_a_problem_and_the_allowed_methods(api: httpx.Client) -> None:
    answer = api.put("/v1/jobs")
    assert answer.status_code == 405
    assert answer.json()["status"] == 405
    assert "POST" in answer.headers["Allow"]


def test_a_label_that_the_database_cannot_store_is_refused(
    api: httpx.Client, ingredients: AuditInputs, tmp_path: Path
) -> None:
    answer = api.post("/v1/jobs", json=ingredients.body(labels={"k": "a\x00b"}))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("labels")
    answer = api.post("/v1/jobs", json=ingredients.body(labels={"env:prod": "x"}))
    assert answer.status_code == 422
    assert "use another character" in answer.json()["errors"][0]["detail"]


def test_a_repeated_idempotency_key_returns_its_job_even_if_the_images_are_deleted(
    api: httpx.Client, ingredients: AuditInputs, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    shutil.copytree(ingredients.images, images)
    body, key = ingredients.body(images={"uri": images.as_uri()}), {"Idempotency-Key": "gone"}
    first = api.post("/v1/jobs", json=body, headers=key)
    shutil.rmtree(images)
    again = api.post("/v1/jobs", json=body, headers=key)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])


@pytest.mark.parametrize("tag", ["*", "W/{}", '"0", {}'])
def test_the_api_compares_weak_etags_and_lists_of_etags(api: httpx.Client, ingredients: AuditInputs, tag: str) -> None:
    path = submit(api, ingredients)["links"]["self"]
    seen = tag.format(api.get(path).headers["ETag"])
    assert api.get(path, headers={"If-None-Match": seen}).status_code == 304


def test_a_job_is_refused_if_its_images_are_a_loop_of_links_or_have_an_invalid_name(
    api: httpx.Client, ingredients: AuditInputs, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "link").symlink_to(os.fsdecode(b"/tmp/x\xff"))
    for name in ("loop", "link"):
        answer = api.post("/v1/jobs", json=ingredients.body(images={"uri": (tmp_path / name).as_uri()}))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "images.uri"


def test_a_body_with_a_wrong_content_type_is_refused_with_the_right_one(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    answer = api.post("/v1/jobs", content=json.dumps(ingredients.body()))
    assert answer.status_code == 422
    assert "application/json" in answer.json()["detail"]


def test_a_deleted_job_and_its_results_are_not_found(api: httpx.Client, ingredients: AuditInputs) -> None:
    key = {"Idempotency-Key": "again"}
    job = api.post("/v1/jobs", json=ingredients.body(), headers=key).json()
    waiting = submit(api, ingredients)
    assert api.delete(job["links"]["self"]).status_code == 204
    for path in (job["links"]["self"], job["links"]["results"], job["links"]["images"]):
        assert api.get(path).status_code == 404
    assert api.delete(job["links"]["self"]).status_code == 404
    assert [each["id"] for each in api.get("/v1/jobs").json()["items"]] == [waiting["id"]]
    assert api.post("/v1/jobs", json=ingredients.body(), headers=key).json()["id"] != job["id"]


def test_a_request_that_waits_for_a_deleted_job_gets_404(api: httpx.Client, ingredients: AuditInputs) -> None:
    path = submit(api, ingredients)["links"]["self"]
    threading.Timer(0.3, lambda: api.delete(path)).start()
    assert api.get(path, params={"wait": 30}).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"deadline": 0}, "deadline"), ({"deadline": "soon"}, "deadline"), ({"priority": "x"}, "priority")],
)
def test_an_invalid_deadline_or_priority_is_refused(
    api: httpx.Client, ingredients: AuditInputs, changes: dict[str, Any], field: str
) -> None:
    answer = api.post("/v1/jobs", json=ingredients.body(**changes))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
