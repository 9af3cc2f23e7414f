"""Objects of S3, Google Cloud Storage and the web, through fsspec, with credentials from the environment.

Which addresses may be asked is decided in one place, `check_address`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from service.archives import check_member
from service.errors import InputRefused
from service.transient import is_transient
from worker.fetching.cache import Cache

WEB = ("https://", "http://")
SCHEMES = ("s3://", "gs://", *WEB)
PART = 8 * 2**20
try:
    from botocore.exceptions import NoCredentialsError

    REFUSALS: tuple[type[Exception], ...] = (PermissionError, NoCredentialsError)
except ImportError:  # without S3's library nobody asks S3
    REFUSALS = (PermissionError,)
MOST_FILES = 10_000  # of a model's folder


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere: its URI, its path below what was asked for, its bytes, and what changes when it does."""

    uri: str
    name: str
    size: int | None
    tag: str


def check_address(uri: str) -> None:
    """Raise InputRefused for an address that this service does not ask."""
    if not uri.startswith(SCHEMES):
        raise InputRefused(reason=f"{uri!r} is none of {', '.join(SCHEMES)}")


def list_files(uri: str) -> Sequence[RemoteFile]:
    """The file at a URI, or the files below it, sorted by name. Raises InputRefused where there is none."""
    system, path = _open(uri)
    with _asking(uri):
        info = system.info(path)
        if info["type"] != "directory":
            return [_file(uri, PurePosixPath(path).name or "file", info)]
        found = system.find(path, detail=True)
    base = path.rstrip("/") + "/"
    files = [_file(uri.rstrip("/") + "/" + p[len(base) :], p[len(base) :], i) for p, i in sorted(found.items())]
    if not files:
        raise InputRefused(reason=f"{uri} is an empty folder, or there is nothing")
    return files


def fetch(uri: str, cache: Cache) -> Path:
    """The file or folder at a URI, on this machine's disk. Raises InputRefused."""
    files = list_files(uri)
    if len(files) > MOST_FILES:
        raise InputRefused(reason=f"{uri} has more than {MOST_FILES:,} files; pack them into an archive")
    for file in files:
        check_member(Path(uri), file.name)
    cache.check_size(sum(file.size or 0 for file in files), uri)
    key = "\n".join(f"{file.uri}\t{file.tag}\t{file.size}" for file in files)

    def bring(folder: Path) -> None:
        for file in files:
            download(file, folder / file.name, cache.limit)

    return cache.get(key, bring)


def download(file: RemoteFile, target: Path, most: int) -> None:
    """Bring a file, going on where an earlier attempt ended. Raises InputRefused."""
    target.parent.mkdir(parents=True, exist_ok=True)
    system, path = _open(file.uri)
    with _asking(file.uri):
        have = target.stat().st_size if target.exists() else 0
        if file.size is None or have > file.size:
            have = 0
        try:
            with system.open(path, "rb", block_size=PART, cache_type="none") as source:
                have = _append(file, source, target, have, most)
        except ValueError:  # a server that knows no ranges; it gives all or nothing
            with system.open(path, "rb", block_size=0) as source:
                have = _append(file, source, target, 0, most)
    if file.size is not None and have != file.size:
        raise ConnectionError(f"{file.uri} ended after {have:,} of {file.size:,} bytes")


def _append(file: RemoteFile, source: Any, target: Path, have: int, most: int) -> int:
    """Copy what comes after the first `have` bytes. Returns how many there are then."""
    if have:
        source.seek(have)
    with target.open("ab") as out:
        out.truncate(have)
        while part := source.read(PART):
            out.write(part)
            have += len(part)
            if have > most:
                raise InputRefused(reason=f"{file.uri} has more than {most:,} bytes; see SALIENCE_CACHE_GIB")
    return have


def read_bytes(uri: str, most: int) -> bytes:
    """A file's content, of at most so many bytes. Raises InputRefused."""
    system, path = _open(uri)
    found = bytearray()
    # Of the web as one stream, since servers need not know ranges.
    with _asking(uri), system.open(path, "rb", **({"block_size": 0} if uri.startswith(WEB) else {})) as source:
        while part := source.read(PART):
            found += part
            if len(found) > most:
                raise InputRefused(reason=f"{uri} has more than {most:,} bytes")
    return bytes(found)


def _open(uri: str) -> tuple[Any, str]:
    check_address(uri)
    try:
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(uri)
    except ImportError as error:
        raise InputRefused(reason=f"{uri}: {error}; the worker needs the extra `clouds`") from error
    except ValueError as error:
        raise InputRefused(reason=f"{uri!r} is not an address: {error}") from error
    return found


@contextmanager
def _asking(uri: str) -> Iterator[None]:
    """What a server refuses is told with the URI; one that does not answer may do so later, and is no refusal."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputRefused(reason=f"{uri} does not exist") from error
    except REFUSALS as error:
        raise InputRefused(reason=f"{uri} may not be read with the credentials in the workers' environment") from error
    except (InputRefused, ValueError):
        raise
    except Exception as error:  # of as many libraries as there are schemes
        if is_transient(error):
            raise
        raise ConnectionError(f"{uri} cannot be had: {type(error).__name__}: {error}") from error


def _file(uri: str, name: str, info: dict[str, Any]) -> RemoteFile:
    tags = (info.get(key) for key in ("ETag", "etag", "md5Hash", "LastModified", "mtime"))
    return RemoteFile(uri, name, info.get("size"), str(next((tag for tag in tags if tag), "")))
