"""Tests with an emulator of Google Cloud Storage in this process."""

import time
from collections.abc import Iterator

import pytest
from gcp_storage_emulator.server import create_server

from service.errors import InputRefused
from tests.support.image_sets import images_of, model_at
from tests.support.jobs import AuditInputs
from tests.support.servers import free_port
from worker.inputs import object_stores as remote
from worker.inputs.image_bytes import image_opener
from worker.inputs.resolver import InputResolver

HOST = "STORAGE_EMULATOR_HOST"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start an emulator with an empty bucket; environment variables give its address to workers."""
    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="bucket")
    server.start()
    with monkeypatch.context() as environment:
        environment.setenv(HOST, f"http://127.0.0.1:{port}")
        clear_connections()
        yield "gs://bucket"
    server.stop()
    clear_connections()


def clear_connections() -> None:
    """Remove gcsfs's cached connections, which would still use the address of an earlier emulator."""
    remote._open("gs://bucket")[0].clear_instance_cache()


def put(uri: str, content: bytes) -> None:
    system, path = remote._open(uri)
    system.pipe_file(path, content)


def test_the_current_models_and_images_are_read_from_google_cloud_storage(
    bucket: str, places: InputResolver, ingredients: AuditInputs
) -> None:
    for model in ingredients.models[:2]:
        put(f"{bucket}/m.pt", model.read_bytes())
        assert model_at(places, f"{bucket}/m.pt").read_bytes() == model.read_bytes()
    images = images_of(ingredients.images)[:3]
    for name, _, content in images:
        put(f"{bucket}/set/{name}", content)
    read = image_opener(places)
    found = [(each.label, read(each.path)) for each in places.list_images(f"{bucket}/set")]
    assert found == [(label, content) for _, label, content in images]
    with pytest.raises(InputRefused, match="does not exist"):
        model_at(places, f"{bucket}/none.pt")


def test_reading_from_an_unavailable_google_cloud_storage_fails_soon(
    places: InputResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOST, f"http://127.0.0.1:{free_port()}")
    clear_connections()
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="is unavailable"):
        remote.list_files("gs://bucket/m.pt", places.web, retry_seconds=0.3)
    assert time.monotonic() - began < 3
    clear_connections()
