import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.main import create_app
from service.settings import ServiceSettings
from tests.support.routes import name, routes
from tests.support.servers import serving

MAX_BYTES = 2**20


@pytest.fixture(scope="module")
def api(migrated_sqlite: Path, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("limits")
    settings = ServiceSettings(
        data_dir=folder,
        database_url=f"sqlite:///{shutil.copy(migrated_sqlite, folder / 'tests.sqlite')}",
        broker_url=redis_url,
        max_body_mib=1,
        mlflow_secret="m" * 40,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")  # with a secret, the webhook route reads the body
        with serving(create_app(settings)) as url, httpx.Client(base_url=url) as client:
            yield client


def chunked(size: int) -> Iterator[bytes]:
    """Yield a body in parts, so that httpx sends it without Content-Length."""
    for start in range(0, size, 2**16):
        yield b" " * min(2**16, size - start)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/inspect"])
@pytest.mark.parametrize("has_length", [True, False])
def test_a_body_that_is_too_large_is_refused_with_and_without_content_length(
    api: httpx.Client, path: str, has_length: bool
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post(path, content=b" " * (MAX_BYTES + 1) if has_length else chunked(MAX_BYTES + 1), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:salience:problem:body-too-large"
    assert "SALIENCE_MAX_BODY_MIB" in answer.json()["detail"]


@pytest.mark.parametrize("has_length", [True, False])
def test_a_body_of_the_maximum_size_is_read(api: httpx.Client, has_length: bool) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post("/v1/jobs", content=b" " * MAX_BYTES if has_length else chunked(MAX_BYTES), headers=headers)
    assert answer.json()["type"] == "urn:salience:problem:invalid-request"


def test_every_route_with_a_body_documents_its_response_to_a_body_that_is_too_large(api: httpx.Client) -> None:
    with_body = [each for each in routes() if "json" in str(each.document.get("requestBody"))]
    assert len(with_body) > 5
    for each in with_body:
        answer = each.ask(api, dict.fromkeys(each.names, "1"), json=None, content=b" " * (MAX_BYTES + 1))
        assert answer.status_code == 413, name(each)
        assert answer.headers["Content-Type"] in each.document["responses"]["413"]["content"]


def test_uploads_have_a_size_limit_of_their_own(api: httpx.Client) -> None:
    assert api.put("/v1/artifacts", content=chunked(3 * MAX_BYTES)).json()["size"] == 3 * MAX_BYTES
