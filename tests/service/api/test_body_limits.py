import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.main import create_app
from service.settings import ServiceSettings
from tests.support.routes import name, routes
from tests.support.servers import serving

MOST = 2**20


@pytest.fixture(scope="module")
def api(migrated_sqlite: Path, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("edge")
    settings = ServiceSettings(
        data_dir=folder,
        database_url=f"sqlite:///{shutil.copy(migrated_sqlite, folder / 'tests.sqlite')}",
        broker_url=redis_url,
        max_body_mib=1,
        mlflow_secret="m" * 40,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")  # so that its hook reads what it is sent
        with serving(create_app(settings)) as url, httpx.Client(base_url=url) as client:
            yield client


def in_parts(size: int) -> Iterator[bytes]:
    """A body whose length is not said."""
    for start in range(0, size, 2**16):
        yield b" " * min(2**16, size - start)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/inspect"])
@pytest.mark.parametrize("is_said", [True, False])
def test_a_body_that_is_too_large_is_refused_whether_its_length_is_said_or_not(
    api: httpx.Client, path: str, is_said: bool
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post(path, content=b" " * (MOST + 1) if is_said else in_parts(MOST + 1), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:salience:problem:body-too-large"
    assert "SALIENCE_MAX_BODY_MIB" in answer.json()["detail"]


@pytest.mark.parametrize("is_said", [True, False])
def test_a_body_as_large_as_it_may_be_is_read(api: httpx.Client, is_said: bool) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post("/v1/jobs", content=b" " * MOST if is_said else in_parts(MOST), headers=headers)
    assert answer.json()["type"] == "urn:salience:problem:invalid-request"


def test_every_route_that_takes_a_body_documents_what_it_answers_to_one_too_large(api: httpx.Client) -> None:
    taking = [each for each in routes() if "json" in str(each.document.get("requestBody"))]
    assert len(taking) > 5
    for each in taking:
        answer = each.ask(api, dict.fromkeys(each.names, "1"), json=None, content=b" " * (MOST + 1))
        assert answer.status_code == 413, name(each)
        assert answer.headers["Content-Type"] in each.document["responses"]["413"]["content"]


def test_uploads_have_a_limit_of_their_own(api: httpx.Client) -> None:
    assert api.put("/v1/artifacts", content=in_parts(3 * MOST)).json()["size"] == 3 * MOST
