"""From a URI to what lies there, on this machine's disk, whatever the place."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from service.artifacts import ArtifactPlace, absent, digest_in
from service.errors import InputRefused, retold
from service.image_sets import ImageEntry, SetPlace, kind_of, list_images
from service.listing.entry import is_picture
from service.locations import check_links, check_path, check_remote, is_remote, locate, path_of
from service.model_files import find_model
from service.redaction import redacted, redacted_urls
from service.settings import StoreSettings
from service.storage import OwnerStore
from worker.digests import stamp_of
from worker.fetching import mlflow, remote
from worker.fetching.cache import Cache
from worker.fetching.remote_file import RemoteFile
from worker.fetching.repeats import unrepeated
from worker.fetching.unpack import inflate, unpack
from worker.fetching.web import Web
from worker.images.table import list_table

FETCHED = "what was fetched"  # as texts call it that do not know from where
MOST_REMEMBERED = 10_000  # answers to what a URI stands for


@dataclass(frozen=True)
class Places:
    """Where this worker finds things: files under the roots, artifacts, and a cache for what is fetched.

    What a URI stands for is asked each time, or once for a piece of work, which all of it then means.
    """

    roots: Sequence[Path]
    artifacts: ArtifactPlace
    cache: Cache
    web: Web = field(default_factory=Web)
    work: str | None = None
    _found: dict[tuple[str, str], Path] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: StoreSettings, roots: Sequence[Path]) -> "Places":
        """The places that the environment sets."""
        return cls(
            roots,
            ArtifactPlace(settings.artifacts_location),
            Cache(settings.cache, settings.cache_bytes),
            Web(settings.web_hosts, settings.fetch_seconds),
        )

    def of_work(self, name: str, owners: OwnerStore | None = None) -> "Places":
        """The places as a piece of work sees them, such as a job by its ID; with owners, their artifacts only."""
        return replace(self, work=name, artifacts=replace(self.artifacts, owners=owners))

    def pin(self, uri: str) -> str:
        """What to keep of a URI, so that it stands for the same later: a path, a version in place of an alias."""
        if not is_remote(uri):
            return str(locate(uri, self.roots))
        check_remote(uri)
        return mlflow.pin(uri)

    @contextmanager
    def model(self, source: str) -> Iterator[Path]:
        """The file or folder of a model, by its path or URI; archives of folders unpacked. Raises InputRefused.

        What is refused while it is in use is told of the source, too.
        """
        with retold(lambda reason: self.told(reason, source)):
            path = self._bring(source)
            if path.is_dir():
                check_links(path, self.roots)
            if path.is_file() and find_model(path).format == "packed":
                path = self._made("unpacked", path, unpack)
            yield path

    def list_images(self, source: str) -> Iterator[ImageEntry]:
        """The pictures of a set, by its path or URI. Raises InputRefused."""
        with retold(lambda reason: self.told(reason, source)):
            yield from unrepeated(source, lambda: self._list(source))

    def told(self, text: str, source: str = FETCHED) -> str:
        """A text for users: it names things by URIs without secrets, and not by where this service keeps them."""
        named = text.replace(source, redacted(source))
        return self.cache.told(self.artifacts.told(redacted_urls(named)), source)

    def read(self, uri: str, most: int) -> bytes:
        """The content of a file elsewhere, of at most so many bytes. Raises InputRefused."""
        uri = mlflow.artifact_uri(uri)
        is_mlflows = uri.startswith(mlflow.PROXY)
        return mlflow.read_bytes(uri, most) if is_mlflows else remote.read_bytes(uri, most, self.web)

    def check_artifacts(self, references: Iterable[str]) -> None:
        """Raise InputRefused where artifacts that a manifest names are not there for whoever asks for the work."""
        owners = self.artifacts.owners
        named = {digest: each for each in references if (digest := digest_in(each))}
        lacking = owners.lacking(named) if owners and named else ()
        if lacking:
            raise InputRefused(reason=f"an image or human map is missing: {absent(named[min(lacking)])}")

    def _list(self, source: str) -> Iterator[ImageEntry]:
        source = mlflow.artifact_uri(source)
        if source.startswith((*remote.SCHEMES, mlflow.PROXY)):
            is_mlflows = source.startswith(mlflow.PROXY)
            files = mlflow.list_files(source) if is_mlflows else remote.list_files(source, self.web)
            if len(files) > 1 or files[0].uri != source:
                return self._list_remote(source, files)
        path = self.archive(source)
        return list_images(SetPlace(path, source), self.roots, list_table)

    def archive(self, source: str) -> Path:
        """A set's file or folder, from which its pictures can be read one by one. Raises InputRefused."""
        path = self._bring(source)
        return self._made("inflated", path, inflate) if path.is_file() and kind_of(path) == "packed tar" else path

    def _list_remote(self, source: str, files: Sequence[RemoteFile]) -> Iterator[ImageEntry]:
        """A folder elsewhere: its pictures stay there until they are read; shards are fetched."""
        pictures = [file for file in files if is_picture(file.name)]
        for file in pictures:
            yield ImageEntry(file.name, file.name.partition("/")[0] if "/" in file.name else None, file.uri)
        for file in [] if pictures else files:
            if file.name.endswith((".tar", ".parquet")):
                for entry in self._list(file.uri):
                    yield ImageEntry(f"{file.name}/{entry.name}", entry.label, entry.path, entry.human)
                pictures = [file]
        if not pictures:
            raise InputRefused(reason=f"{source} holds no image")

    def _bring(self, source: str) -> Path:
        if not is_remote(source):
            plain = path_of(source) if source.startswith("file:") else Path(source)
            return check_path(plain, self.roots)
        path = self._found.get((self.work, source)) if self.work else None
        if path is None or not self.cache.keep(path):
            path = self._fetch(source)
            if self.work:
                self._remember(self.work, source, path)
        return path

    def _remember(self, work: str, source: str, path: Path) -> None:
        if len(self._found) >= MOST_REMEMBERED:
            self._found.clear()
        self._found[work, source] = path

    def _fetch(self, source: str) -> Path:
        if source.startswith("artifact:"):
            return self._artifact(source)
        source = mlflow.artifact_uri(source)
        if source.startswith(mlflow.PROXY):
            return mlflow.fetch(source, self.cache)
        if is_remote(source):
            return remote.fetch(source, self.cache, self.web)
        return check_path(path_of(source) if source.startswith("file:") else Path(source), self.roots)

    def _artifact(self, source: str) -> Path:
        found = self.artifacts.find(source)
        return found if isinstance(found, Path) else remote.fetch(found, self.cache, self.web)

    def _made(self, what: str, path: Path, make: Callable[[Path, Path], None]) -> Path:
        key = f"{what}\t{path}\t{stamp_of(path)}"

        def fill(folder: Path) -> None:
            self.cache.check_size(path.stat().st_size, str(path))
            make(path, folder)

        return self.cache.get(key, fill)
