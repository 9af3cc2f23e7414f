import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.main import create_app
from service.settings import ServiceSettings
from tests.servers import serving

MOST = 2**20


@pytest.fixture(scope="module")
def api(migrated_sqlite: Path, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("edge")
    settings = ServiceSettings(
        data_dir=folder,
        database_url=f"sqlite:///{shutil.copy(migrated_sqlite, folder / 'tests.sqlite')}",
        broker_url=redis_url,
        body_mib=1,
    )
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
    assert "SALIENCE_BODY_MIB" in answer.json()["detail"]


@pytest.mark.parametrize("is_said", [True, False])
def test_a_body_as_large_as_it_may_be_is_read(api: httpx.Client, is_said: bool) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post("/v1/jobs", content=b" " * MOST if is_said else in_parts(MOST), headers=headers)
    assert answer.json()["type"] == "urn:salience:problem:invalid-request"


def test_uploads_have_a_limit_of_their_own(api: httpx.Client) -> None:
    assert api.put("/v1/artifacts", content=in_parts(3 * MOST)).json()["size"] == 3 * MOST
