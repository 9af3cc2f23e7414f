"""Resolves URIs of models and image sets to files on this machine's disk."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from service.artifacts.store import ArtifactStore, digest_in, missing_message
from service.errors import ImagesRefused, InputRefused, with_reason
from service.inputs.image_sets.entry import is_image
from service.inputs.image_sets.listing import ImageEntry, ImageSetLocation, detect_kind, list_images
from service.inputs.model_files import find_model
from service.inputs.uris import check_links, check_path, check_remote, is_remote, locate, path_from_uri
from service.settings import StoreSettings
from service.storage import ArtifactOwnerStore
from service.telemetry.redaction import redact, redact_urls
from worker.inputs import mlflow
from worker.inputs import object_stores as remote
from worker.inputs.cache import FileCache
from worker.inputs.digests import stamp_path
from worker.inputs.parquet import list_table
from worker.inputs.unpack import inflate, unpack
from worker.inputs.web import RemoteFile, WebClient

FETCHED_KIND = "a fetched file"  # stands for an input in messages about a file whose URI is unknown
MAX_REMEMBERED = 10_000  # resolved URIs


@dataclass(frozen=True)
class InputResolver:
    """Finds inputs: files under the roots, artifacts, and remote files, which it fetches into a cache.

    It resolves a URI again on each call; a resolver made by `for_job` resolves each URI once for all shards of a job,
    and an artifact once for each shard, because the tenant may have deleted it after an earlier shard.
    """

    roots: Sequence[Path]
    artifacts: ArtifactStore
    cache: FileCache
    web: WebClient = field(default_factory=WebClient)
    work: str | None = None
    _found: dict[tuple[str, str], Path] = field(default_factory=dict)
    _found_artifacts: dict[tuple[str, str], Path] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: StoreSettings, roots: Sequence[Path]) -> "InputResolver":
        """Make a resolver with the artifact store, the cache and the allowed hosts of the settings."""
        return cls(
            roots,
            ArtifactStore(settings.artifacts_location),
            FileCache(settings.cache, settings.cache_bytes),
            WebClient(settings.allowed_web_hosts, settings.fetch_seconds),
        )

    def for_job(self, name: str, owners: ArtifactOwnerStore | None = None) -> "InputResolver":
        """Return a resolver for one job, by its ID. With `owners`, it finds only artifacts of one tenant."""
        return replace(self, work=name, artifacts=replace(self.artifacts, owners=owners), _found_artifacts={})

    def resolve(self, uri: str) -> str:
        """Return a lasting form of a URI: a local file's path, or an MLflow URI with a version in place of an alias."""
        if not is_remote(uri):
            return str(locate(uri, self.roots))
        check_remote(uri)
        return mlflow.pin_version(uri)

    @contextmanager
    def model(self, source: str) -> Iterator[Path]:
        """Yield the file or folder of a model by its path or URI, and unpack archives. Raises InputRefused.

        If the caller's block raises InputRefused, its message names the source in place of the local path.
        """
        with with_reason(lambda reason: self.user_text(reason, source)):
            path = self._fetch_local(source)
            if path.is_dir():
                check_links(path, self.roots)
            if path.is_file() and find_model(path).format == "packed":
                path = self._cached("unpacked", path, unpack)
            yield path

    def list_images(self, source: str, groups: Sequence[str] = ()) -> Iterator[ImageEntry]:
        """List the images of a set by its path or URI, with their values in group columns. Raises InputRefused."""
        with with_reason(lambda reason: self.user_text(reason, source)):
            yield from without_duplicates(source, lambda: self._list(source, groups))

    def user_text(self, text: str, source: str = FETCHED_KIND) -> str:
        """Rewrite a message for users: URIs lose their secrets, and paths in the cache or the store become URIs."""
        named = text.replace(source, redact(source))
        return self.cache.with_source(self.artifacts.with_uris(redact_urls(named)), source)

    def read(self, uri: str, max_bytes: int) -> bytes:
        """Read a remote file of at most `max_bytes` bytes. Raises InputRefused."""
        uri = mlflow.artifact_uri(uri)
        is_mlflow = uri.startswith(mlflow.PROXY)
        return mlflow.read_bytes(uri, max_bytes) if is_mlflow else remote.read_bytes(uri, max_bytes, self.web)

    def check_artifacts(self, references: Iterable[str]) -> None:
        """Raise InputRefused if a manifest names artifacts that do not exist for the owner of the job."""
        owners = self.artifacts.owners
        named = {digest: each for each in references if (digest := digest_in(each))}
        missing = owners.lacking(named) if owners and named else ()
        if missing:
            raise InputRefused(reason=f"an image or human map is missing: {missing_message(named[min(missing)])}")

    def _list(self, source: str, groups: Sequence[str]) -> Iterator[ImageEntry]:
        source = mlflow.artifact_uri(source)
        if source.startswith((*remote.SCHEMES, mlflow.PROXY)):
            is_mlflow = source.startswith(mlflow.PROXY)
            files = mlflow.list_files(source) if is_mlflow else remote.list_files(source, self.web)
            if len(files) > 1 or files[0].uri != source:
                return self._list_remote(source, files, groups)
        path = self.archive(source)
        return list_images(ImageSetLocation(path, source, groups), self.roots, list_table)

    def archive(self, source: str) -> Path:
        """Return the local file or folder of an image set, after decompressing a tar file. Raises InputRefused."""
        path = self._fetch_local(source)
        return self._cached("inflated", path, inflate) if path.is_file() and detect_kind(path) == "packed tar" else path

    def _list_remote(self, source: str, files: Sequence[RemoteFile], groups: Sequence[str]) -> Iterator[ImageEntry]:
        """List a remote folder of images, or of tar and Parquet files if it contains no images.

        Images are fetched later, when they are read; tar and Parquet files are fetched here.
        """
        images = [file for file in files if is_image(file.name)]
        for file in images:
            yield ImageEntry(file.name, file.name.partition("/")[0] if "/" in file.name else None, file.uri)
        for file in [] if images else files:
            if file.name.endswith((".tar", ".parquet")):
                for entry in self._list(file.uri, groups):
                    yield entry._replace(name=f"{file.name}/{entry.name}")
                images = [file]
        if not images:
            raise InputRefused(reason=f"{source} contains no image")

    def _fetch_local(self, source: str) -> Path:
        if not is_remote(source):
            plain = path_from_uri(source) if source.startswith("file:") else Path(source)
            return check_path(plain, self.roots)
        found = self._found if digest_in(source) is None else self._found_artifacts
        path = found.get((self.work, source)) if self.work else None
        if path is None or not self.cache.hold_existing(path):
            path = self._fetch(source)
            if self.work:
                if len(found) >= MAX_REMEMBERED:
                    found.clear()
                found[self.work, source] = path
        return path

    def _fetch(self, source: str) -> Path:
        if source.startswith("artifact:"):
            return self._artifact(source)
        source = mlflow.artifact_uri(source)
        if source.startswith(mlflow.PROXY):
            return mlflow.fetch(source, self.cache)
        if is_remote(source):
            return remote.fetch(source, self.cache, self.web)
        return check_path(path_from_uri(source) if source.startswith("file:") else Path(source), self.roots)

    def _artifact(self, source: str) -> Path:
        found = self.artifacts.find(source)
        return found if isinstance(found, Path) else remote.fetch(found, self.cache, self.web)

    def _cached(self, kind: str, path: Path, make: Callable[[Path, Path], None]) -> Path:
        key = f"{kind}\t{path}\t{stamp_path(path)}"

        def fill(folder: Path) -> None:
            self.cache.check_size(path.stat().st_size, str(path))
            make(path, folder)

        return self.cache.get(key, fill)


def without_duplicates(source: str, listed: Callable[[], Iterator[ImageEntry]]) -> Iterator[ImageEntry]:
    """Yield the entries of a set, and raise ImagesRefused at the end if two have the same name.

    It stores eight bytes for each entry, the hash of its name. If hashes are equal, it lists the set again and compares
    those names.
    """
    hashes = array("q")
    for entry in listed():
        hashes.append(hash(entry.name))
        yield entry
    codes = np.frombuffer(hashes, np.int64)
    codes.sort()
    repeated = set(codes[1:][codes[1:] == codes[:-1]].tolist())
    seen: set[str] = set()
    for entry in listed() if repeated else ():
        if hash(entry.name) in repeated:
            if entry.name in seen:
                raise ImagesRefused(reason=f"{source}: {entry.name!r} is listed twice")
            seen.add(entry.name)
