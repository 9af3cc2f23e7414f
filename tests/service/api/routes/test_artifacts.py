import hashlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.jobs import AuditInputs

MAX_FILE = 2**24  # in bytes; no database file of these tests grows as large


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Limit the size of every file to MAX_FILE, so that larger writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_upload_is_stored_once_under_its_digest(api: httpx.Client, ingredients: AuditInputs) -> None:
    content = ingredients.models[0].read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert api.get(f"/v1/artifacts/{digest}").status_code == 404
    first = api.put("/v1/artifacts", content=content, params={"sha256": digest})
    assert (first.status_code, first.json()["uri"]) == (201, f"artifact:sha256:{digest}")
    assert api.put("/v1/artifacts", content=content).status_code == 200
    assert api.get(f"/v1/artifacts/{digest.upper()}").json()["size"] == len(content)


def test_an_upload_with_a_wrong_digest_is_refused_and_not_stored(api: httpx.Client, tmp_path: Path) -> None:
    answer = api.put("/v1/artifacts", content=b"something", params={"sha256": "0" * 64})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:salience:problem:artifact-refused")
    assert api.put("/v1/artifacts", content=b"").status_code == 422
    assert api.put("/v1/artifacts", content=b"x", params={"sha256": "abc"}).status_code == 422
    assert [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == []


def test_an_upload_without_free_space_gets_503_and_leaves_no_file(
    api: httpx.Client, tmp_path: Path, full_disk: None
) -> None:
    answer = api.put("/v1/artifacts", content=bytes(2 * MAX_FILE))
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:salience:problem:artifacts-unavailable")
    assert "SALIENCE_ARTIFACTS" in answer.json()["detail"]
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_a_job_with_uploads_is_accepted_and_a_job_with_unknown_uploads_is_refused(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    uris = [api.put("/v1/artifacts", content=path.read_bytes()).json()["uri"] for path in ingredients.models[:2]]
    cohort = {**ingredients.cohort("uploaded", 0, 1), "runs": [{"uri": uri} for uri in uris]}
    assert api.post("/v1/jobs", json=ingredients.body(cohorts=[cohort])).status_code == 202
    cohort["runs"][1]["uri"] = f"artifact:sha256:{'0' * 64}"
    answer = api.post("/v1/jobs", json=ingredients.body(cohorts=[cohort]))
    assert answer.json()["errors"][0]["field"] == "cohorts[0].runs[1].uri"


def test_a_job_of_an_uploaded_manifest_with_relative_names_is_refused_at_once(
    api: httpx.Client, ingredients: AuditInputs
) -> None:
    uri = api.put("/v1/artifacts", content=b"image\na.png\n").json()["uri"]
    (problem,) = api.post("/v1/jobs", json=ingredients.body(images={"uri": uri})).json()["errors"]
    assert problem["field"] == "images.uri"
    assert problem["detail"].startswith(f"{uri}: 'a.png' is not a URI, and an uploaded manifest has no folder")


@pytest.mark.parametrize("megabytes", [200])
def test_a_large_upload_is_not_loaded_into_memory(api: httpx.Client, megabytes: int) -> None:
    part = os.urandom(2**20)

    def parts() -> Iterator[bytes]:
        for _ in range(megabytes):
            yield part

    before = psutil.Process().memory_info().rss
    answer = api.put("/v1/artifacts", content=parts(), timeout=60)
    assert answer.json()["size"] == megabytes * 2**20
    assert psutil.Process().memory_info().rss - before < megabytes * 2**20 / 4
