"""Lists and downloads objects of S3 and Google Cloud Storage, and files of the web.

fsspec takes the stores' endpoints and credentials from the environment.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from service.errors import InputRefused
from service.errors.transient import TransientError
from service.inputs.archives import check_member
from service.inputs.uris import OBJECT_STORE_SCHEMES, check_bucket
from service.net.allowed_hosts import WEB_SCHEMES
from worker.inputs.cache import FileCache
from worker.inputs.unpack import MAX_FILES
from worker.inputs.web import RemoteFile, WebClient

SCHEMES = (*OBJECT_STORE_SCHEMES, *WEB_SCHEMES)
CHUNK_BYTES = 8 * 2**20
# The time limit for a store's first response. The store's library would retry for longer, but workers retry as well.
RETRY_SECONDS = 15.0
# gcsfs detects the kind of bucket by gRPC, and waits a minute for a server that only has the plain protocol.
PLAIN_GCS = ("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
try:
    from botocore.exceptions import NoCredentialsError, ParamValidationError

    REFUSALS: tuple[type[Exception], ...] = (PermissionError, NoCredentialsError)
    INVALID: tuple[type[Exception], ...] = (ValueError, ParamValidationError)
except ImportError:  # S3's library is not installed, so that none of its errors can occur
    REFUSALS, INVALID = (PermissionError,), (ValueError,)


def list_files(uri: str, web: WebClient, retry_seconds: float = RETRY_SECONDS) -> Sequence[RemoteFile]:
    """List the file at a URI, or the files below it, sorted by name. Raises InputRefused if there is none."""
    if uri.startswith(WEB_SCHEMES):
        return [web.head(uri)]
    system, path = _open(uri)
    with _translating_errors(uri):
        info = _info(system, path, retry_seconds)
        if info["type"] != "directory":
            return [_file(uri, PurePosixPath(path).name or "file", info)]
        found = system.find(path, detail=True)
    base = path.rstrip("/") + "/"
    files = [_file(uri.rstrip("/") + "/" + p[len(base) :], p[len(base) :], i) for p, i in sorted(found.items())]
    if not files:
        raise InputRefused(reason=f"{uri} is empty or does not exist")
    return files


def _info(system: Any, path: str, retry_seconds: float) -> dict[str, Any]:
    from fsspec.asyn import sync

    found: dict[str, Any] = sync(system.loop, system._info, path, timeout=retry_seconds)
    return found


def fetch(uri: str, cache: FileCache, web: WebClient) -> Path:
    """Download the file or folder at a URI into the cache, and return its path. Raises InputRefused."""
    files = list_files(uri, web)
    if len(files) > MAX_FILES:
        raise InputRefused(reason=f"{uri} has more than {MAX_FILES:,} files; pack them into an archive")
    for file in files:
        check_member(Path(uri), file.name)
    cache.check_size(sum(file.size or 0 for file in files), uri)
    key = "\n".join(f"{file.uri}\t{file.tag}\t{file.size}" for file in files)

    def fill(folder: Path) -> None:
        for file in files:
            download(file, folder / file.name, cache.limit, web)

    return cache.get(key, fill, identifies=all(file.tag for file in files))


def download(file: RemoteFile, target: Path, max_bytes: int, web: WebClient) -> None:
    """Download a file, or the rest after an interrupted attempt.

    Raises InputRefused, or TransientError if the content is shorter than the declared size.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    is_web = file.uri.startswith(WEB_SCHEMES)
    have = web.download(file, target, max_bytes) if is_web else _download(file, target, max_bytes)
    if file.size is not None and have != file.size:
        raise TransientError(f"the download of {file.uri} ended after {have:,} of {file.size:,} bytes")


def _download(file: RemoteFile, target: Path, max_bytes: int) -> int:
    """Download an object of a store. Return its size in bytes."""
    system, path = _open(file.uri)
    have = target.stat().st_size if target.exists() else 0
    if file.size is None or have > file.size:
        have = 0
    with _translating_errors(file.uri), system.open(path, "rb", block_size=CHUNK_BYTES, cache_type="none") as source:
        if have and _file(file.uri, file.name, source.details).tag != file.tag:
            have = 0  # the object has changed since the earlier attempt
        return _append(file, source, target, have, max_bytes)


def _append(file: RemoteFile, source: Any, target: Path, have: int, max_bytes: int) -> int:
    """Append the content after its first `have` bytes to the target. Return the size of the target in bytes."""
    if have:
        source.seek(have)
    with target.open("ab") as out:
        out.truncate(have)
        while part := source.read(CHUNK_BYTES):
            out.write(part)
            have += len(part)
            if have > max_bytes:
                raise InputRefused(
                    reason=f"{file.uri} has more than {max_bytes:,} bytes; raise SALIENCE_CACHE_GIB to fetch it"
                )
    return have


def read_bytes(uri: str, max_bytes: int, web: WebClient) -> bytes:
    """Read a file of at most `max_bytes` bytes. Raises InputRefused."""
    if uri.startswith(WEB_SCHEMES):
        return web.read_bytes(uri, max_bytes)
    system, path = _open(uri)
    found = bytearray()
    with _translating_errors(uri), system.open(path, "rb") as source:
        while part := source.read(CHUNK_BYTES):
            found += part
            if len(found) > max_bytes:
                raise InputRefused(reason=f"{uri} has more than {max_bytes:,} bytes")
    return bytes(found)


def _open(uri: str) -> tuple[Any, str]:
    """Return the file system of a store, and the path in it."""
    if not uri.startswith(OBJECT_STORE_SCHEMES):
        raise InputRefused(reason=f"{uri!r} has an unknown scheme; use one of {', '.join(SCHEMES)}")
    check_bucket(uri)
    os.environ.setdefault(*PLAIN_GCS)
    try:
        # Only the scheme is passed on: in a whole URI, fsspec would follow chained URIs.
        import fsspec

        # fsspec's cache of listings would hide changes.
        system = fsspec.filesystem(uri.partition("://")[0], use_listings_cache=False)
    except ImportError as error:
        raise InputRefused(reason=f"{uri}: {error}; install the worker's extra `clouds`") from error
    return system, system._strip_protocol(uri)


@contextmanager
def _translating_errors(uri: str) -> Iterator[None]:
    """Translate a store's refusals to InputRefused with the URI, and all other errors to TransientError."""
    try:
        yield
    except InputRefused:
        raise
    except REFUSALS as error:
        raise InputRefused(
            reason=f"{uri}: the store denies access with the credentials in the workers' environment"
        ) from error
    except FileNotFoundError as error:
        raise InputRefused(reason=f"{uri} does not exist") from error
    except INVALID as error:
        raise InputRefused(reason=f"{uri!r} is not a valid address: {error}") from error
    except Exception as error:  # each store's library has its own errors
        raise TransientError(f"{uri} is unavailable: {str(error) or type(error).__name__}") from error


def _file(uri: str, name: str, info: dict[str, Any]) -> RemoteFile:
    tags = (info.get(key) for key in ("generation", "ETag", "etag", "md5Hash", "LastModified", "mtime"))
    return RemoteFile(uri, name, info.get("size"), str(next((tag for tag in tags if tag), "")))
