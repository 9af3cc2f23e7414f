import hashlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from service.artifacts.store import ArtifactStore
from service.errors import InputRefused
from service.net.allowed_hosts import AllowedHosts
from service.storage import Store
from tests.support.image_sets import as_csv, as_parquet, as_zip, images_of, model_at, upload
from tests.support.jobs import AuditInputs
from worker.inputs import object_stores as remote
from worker.inputs.cache import FileCache
from worker.inputs.image_bytes import image_opener
from worker.inputs.resolver import InputResolver
from worker.inputs.web import WebClient

LOCAL = WebClient(AllowedHosts.parse(["127.0.0.1"]))


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a client of a real S3 API; environment variables give its address to workers."""
    import s3fs

    for name, value in {"AWS_ENDPOINT_URL": s3_url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    if not system.exists("bucket"):
        system.mkdir("bucket")
    yield system
    system.rm("bucket/set", recursive=True) if system.exists("bucket/set") else None
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_model_in_s3_is_fetched_once_and_again_when_it_changes(
    s3: Any, places: InputResolver, ingredients: AuditInputs
) -> None:
    s3.put_file(str(ingredients.models[0]), "bucket/set/m.pt")
    first = model_at(places, "s3://bucket/set/m.pt")
    assert first.read_bytes() == ingredients.models[0].read_bytes()
    assert model_at(places, "s3://bucket/set/m.pt") == first
    s3.put_file(str(ingredients.models[1]), "bucket/set/m.pt")
    assert model_at(places, "s3://bucket/set/m.pt").read_bytes() == ingredients.models[1].read_bytes()


def test_a_models_folder_in_s3_is_fetched_with_its_current_files(s3: Any, places: InputResolver) -> None:
    for content in (b"first", b"later"):
        s3.pipe({f"bucket/set/model/{name}": content for name in ("a", "b")})
        assert (model_at(places, "s3://bucket/set/model") / "b").read_bytes() == content


@pytest.mark.parametrize("way", ["folder", "zip", "parquet"])
def test_an_image_set_in_s3_has_the_images_of_its_folder(
    s3: Any, places: InputResolver, ingredients: AuditInputs, tmp_path: Path, way: str
) -> None:
    if way == "folder":
        s3.put(str(ingredients.images), "bucket/set/pictures", recursive=True)
        uri = "s3://bucket/set/pictures"
    else:
        made = {"zip": as_zip, "parquet": as_parquet}[way](ingredients.images, tmp_path)
        s3.put_file(str(made), "bucket/set/packed")
        uri = "s3://bucket/set/packed"
    read = image_opener(places)
    found = sorted((entry.label or "", read(entry.path)) for entry in places.list_images(uri))
    assert found == sorted((label, content) for _, label, content in images_of(ingredients.images))


def test_a_manifest_in_s3_can_name_images_in_its_folder_and_elsewhere(
    s3: Any, places: InputResolver, ingredients: AuditInputs
) -> None:
    (_, _, content), (_, _, other) = images_of(ingredients.images)[:2]
    s3.pipe_file("bucket/set/real/a.png", content)
    s3.pipe_file("bucket/other.png", other)
    s3.pipe_file("bucket/set/m.csv", b"image,label\nreal/a.png,real\ns3://bucket/other.png,fake\n")
    read = image_opener(places)
    assert [read(entry.path) for entry in places.list_images("s3://bucket/set/m.csv")] == [content, other]
    s3.pipe_file("bucket/set/m.csv", b"image\nfile:///etc/passwd\n")
    narrow = replace(places, roots=(Path("/nowhere"),))
    with pytest.raises(InputRefused, match="outside"):
        list(narrow.list_images("s3://bucket/set/m.csv"))


def test_artifacts_can_be_stored_in_s3(s3: Any, places: InputResolver, ingredients: AuditInputs) -> None:
    content = ingredients.models[0].read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    s3.pipe_file(f"bucket/artifacts/{digest}", content)
    resolver = replace(places, artifacts=ArtifactStore("s3://bucket/artifacts"))
    assert model_at(resolver, f"artifact:sha256:{digest}").read_bytes() == content


def test_old_artifacts_in_s3_are_deleted(s3: Any, store: Store) -> None:
    place = ArtifactStore("s3://bucket/uploads", store.artifact_owners)
    uri = upload(place, b"content")
    assert place.expire(3600) == 0
    assert place.size_of(uri.rpartition(":")[2]) == len(b"content")
    assert place.expire(0) == 1
    assert s3.find("bucket/uploads", refresh=True) == []


@pytest.mark.parametrize(
    "uri", ["s3://bucket/set/nothing.pt", "s3://no-such-bucket/x", "s3://no bucket/x", "ftp://example.org/x"]
)
def test_a_missing_object_is_refused(s3: Any, places: InputResolver, uri: str) -> None:
    with pytest.raises(InputRefused):
        remote.fetch(uri, places.cache, places.web)


@pytest.mark.parametrize("uri", ["s3://KEY:hidden@bucket/x.png", "gs://hidden@bucket/x.png", "s3:///x.png"])
def test_a_uri_with_a_password_is_refused_by_a_message_without_the_password(places: InputResolver, uri: str) -> None:
    with pytest.raises(InputRefused, match="without user and password") as refused:
        remote.read_bytes(uri, 1, places.web)
    assert "hidden" not in str(refused.value)


class Site(BaseHTTPRequestHandler):
    """Serves one file, with or without range requests."""

    content = bytes(range(256)) * 100_000
    requests: ClassVar[list[str]] = []
    supports_ranges = True
    honours_if_range = True
    tag = '"1"'
    breaks_at = 0  # the number of the response that ends halfway

    def do_HEAD(self) -> None:  # http.server calls methods by such names
        self._head(200, len(self.content))

    def do_GET(self) -> None:  # as above
        wanted = self.headers.get("Range", "")
        self.requests.append(wanted)
        start, stop = 0, len(self.content)
        is_same = not self.honours_if_range or self.headers.get("If-Range", self.tag) == self.tag
        if wanted and self.supports_ranges and is_same:
            low, _, high = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(low), min(int(high or stop) + 1, stop)
            self._head(206, stop - start, f"bytes {start}-{stop - 1}/{len(self.content)}")
        else:
            self._head(200, stop)
        part = self.content[start:stop]
        broken = len(self.requests) == self.breaks_at
        self.close_connection = broken
        with suppress(ConnectionError):  # the client may have closed the connection
            self.wfile.write(part[: len(part) // 2] if broken else part)

    def _head(self, status: int, length: int, part: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", self.tag)
        if self.supports_ranges:
            self.send_header("Accept-Ranges", "bytes")
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def web(request: pytest.FixtureRequest) -> Iterator[tuple[str, type[Site]]]:
    handler = type("Own", (Site,), {"requests": [], "supports_ranges": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/m.bin", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_interrupted_download_resumes(web: tuple[str, type[Site]], tmp_path: Path) -> None:
    uri, handler = web
    handler.breaks_at = 1
    cache = FileCache(tmp_path / "cache")
    for _ in range(3):
        try:
            found = remote.fetch(uri, cache, LOCAL)
            break
        except ConnectionError:
            continue
    assert found.read_bytes() == handler.content
    if handler.supports_ranges:
        assert any(request and not request.startswith("bytes=0") for request in handler.requests)
    request = len(handler.requests)
    assert remote.fetch(uri, cache, LOCAL) == found
    assert len(handler.requests) == request, "the cache has the file"


@pytest.mark.parametrize("honours_if_range", [True, False])
def test_a_download_of_a_changed_file_starts_again(
    web: tuple[str, type[Site]], tmp_path: Path, honours_if_range: bool
) -> None:
    uri, handler = web
    handler.honours_if_range = honours_if_range
    (file,), target = remote.list_files(uri, LOCAL), tmp_path / "m.bin"
    target.write_bytes(handler.content[:100])
    handler.content, handler.tag = bytes(len(handler.content)), '"2"'
    with suppress(
        ConnectionError
    ):  # a server that ignores If-Range sends the rest of the new file; the next attempt fetches the whole file
        remote.download(file, target, 10**9, LOCAL)
    remote.download(file, target, 10**9, LOCAL)
    assert target.read_bytes() == handler.content


def test_a_download_of_a_changed_object_starts_again(s3: Any, tmp_path: Path) -> None:
    s3.pipe_file("bucket/set/m", b"first")
    (file,), target = remote.list_files("s3://bucket/set/m", LOCAL), tmp_path / "m"
    target.write_bytes(b"fir")
    s3.pipe_file("bucket/set/m", b"later")
    remote.download(file, target, 5, LOCAL)
    assert target.read_bytes() == b"later"


def test_a_file_larger_than_the_cache_is_refused(web: tuple[str, type[Site]], tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="SALIENCE_CACHE_GIB"):
        remote.fetch(web[0], FileCache(tmp_path / "cache", limit=1000), LOCAL)


def test_a_manifest_can_name_images_on_the_web(
    places: InputResolver, ingredients: AuditInputs, tmp_path: Path, web: tuple[str, type[Site]]
) -> None:
    folder = Path(shutil.copytree(ingredients.images, tmp_path / "p"))
    manifest = as_csv(folder, tmp_path)
    manifest.write_text(manifest.read_text() + f"real,{web[0]}\n")
    *_, last = places.list_images(str(manifest))
    assert image_opener(places)(last.path) == web[1].content
