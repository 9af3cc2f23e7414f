import base64
import csv
import io
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.jobs import AuditInputs
from worker.runner import Runner


@pytest.fixture
def path(api: httpx.Client, ingredients: AuditInputs, runner: Runner) -> str:
    """Audit a job and return the URL path of its per-image numbers."""
    job = api.post("/v1/jobs", json=ingredients.body()).json()
    while runner.work():
        pass
    images: str = job["links"]["images"]
    return images


def test_the_response_has_the_numbers_of_every_image_by_cohort_and_run(api: httpx.Client, path: str) -> None:
    items = api.get(path).json()["items"]
    assert len(items) == 12
    first: dict[str, Any] = items[0]
    assert (first["image"], first["label"], len(first["sha256"])) == ("real/0.png", "real", 64)
    runs = first["cohorts"]["plain"]["runs"]
    assert len(runs) == 2
    assert runs[0]["noise"] == pytest.approx((runs[0]["noise.0.1.ssim"] + runs[0]["noise.0.5.ssim"]) / 2)
    assert "stability" in first["cohorts"]["plain"]["across"]


def test_the_pages_of_a_response_contain_every_image_once(api: httpx.Client, path: str) -> None:
    names: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get(path, params={"limit": 5, **cursor}).json()
        names += [item["image"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(names) == len(set(names)) == 12


def test_the_response_has_the_same_numbers_as_csv_and_as_json(api: httpx.Client, path: str) -> None:
    answer = api.get(path, headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 12 * 3
    item = api.get(path).json()["items"][0]
    (row,) = [row for row in rows if row["image"] == item["image"] and row["run"] == "1"]
    assert float(row["degradation.gap"]) == item["cohorts"]["plain"]["runs"][1]["degradation.gap"]
    assert row["stability"] == ""


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("text/csv, application/json;q=0.9", "text/csv; charset=utf-8"),
        ("image/png, text/*", "text/csv; charset=utf-8"),
        ("*/*", "application/json"),
    ],
)
def test_the_response_has_the_media_type_that_the_client_prefers(
    api: httpx.Client, path: str, accept: str, kind: str
) -> None:
    assert api.get(path, headers={"Accept": accept}).headers["Content-Type"] == kind


def test_an_unavailable_media_type_is_refused(api: httpx.Client, path: str) -> None:
    answer = api.get(path, headers={"Accept": "image/png"})
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["detail"]


def test_the_numbers_of_an_unfinished_job_are_not_available(api: httpx.Client, ingredients: AuditInputs) -> None:
    job = api.post("/v1/jobs", json=ingredients.body()).json()
    assert api.get(job["links"]["images"]).status_code == 409


def test_a_missing_number_is_null_in_json_and_empty_in_csv(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"image\n{ingredients.images / 'real' / '0.png'}\n")
    job = api.post("/v1/jobs", json=ingredients.body(images={"uri": manifest.as_uri()})).json()
    while runner.work():
        pass
    (item,) = api.get(job["links"]["images"]).json()["items"]
    assert [run["correct"] for run in item["cohorts"]["plain"]["runs"]] == [None, None]
    rows = csv.DictReader(io.StringIO(api.get(job["links"]["images"], headers={"Accept": "text/csv"}).text))
    assert [row["correct"] for row in rows] == ["", "", ""]


def test_a_cursor_beyond_the_last_image_is_refused(api: httpx.Client, path: str) -> None:
    beyond = base64.urlsafe_b64encode(str(2**63 - 1).encode()).decode()
    answer = api.get(path, params={"cursor": beyond})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "query.cursor"


def test_every_image_has_its_values_in_the_group_columns(
    api: httpx.Client, ingredients: AuditInputs, runner: Runner, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.csv"
    files = [ingredients.images / "real" / f"{number}.png" for number in range(2)]
    manifest.write_text(f"image,attack,set\n{files[0]},print,studio\n{files[1]},,studio\n")
    images = {"uri": manifest.as_uri(), "groups": ["attack", "set"]}
    out_of_set = {"uri": ingredients.images.as_uri()}
    job = api.post("/v1/jobs", json=ingredients.body(images=images, out_of_set=out_of_set)).json()
    while runner.work():
        pass
    items = api.get(job["links"]["images"]).json()["items"]
    by_name = {item["image"]: item["groups"] for item in items if item["set"] == "images"}
    assert by_name == {
        str(files[0]): {"attack": "print", "set": "studio"},
        str(files[1]): {"attack": None, "set": "studio"},
    }
    assert all(item["groups"] == {} for item in items if item["set"] == "out_of_set")
    answer = api.get(job["links"]["images"], headers={"Accept": "text/csv"})
    rows = {
        (row["image"], row["set"]): (row["group.attack"], row["group.set"])
        for row in csv.DictReader(io.StringIO(answer.text))
    }
    assert rows[(str(files[0]), "images")] == ("print", "studio")
    assert rows[(str(files[1]), "images")] == ("", "studio")
