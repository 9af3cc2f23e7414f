"""Objects of S3 and Google Cloud Storage, through fsspec, with endpoints and credentials from the environment, and
files of the web.
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
RETRY_SECONDS = (
    15.0  # seconds for a store's first answer; its library would try for longer, and whoever asks tries again
)
# gcsfs asks by another protocol what kind of bucket it has, and waits a minute where only the plain one is answered.
PLAIN_GCS = ("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
try:
    from botocore.exceptions import NoCredentialsError, ParamValidationError

    REFUSALS: tuple[type[Exception], ...] = (PermissionError, NoCredentialsError)
    UNFIT: tuple[type[Exception], ...] = (ValueError, ParamValidationError)
except ImportError:  # without S3's library nobody asks S3
    REFUSALS, UNFIT = (PermissionError,), (ValueError,)


def list_files(uri: str, web: WebClient, retry_seconds: float = RETRY_SECONDS) -> Sequence[RemoteFile]:
    """The file at a URI, or the files below it, sorted by name. Raises InputRefused where there is none."""
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
        raise InputRefused(reason=f"{uri} is an empty folder, or there is nothing")
    return files


def _info(system: Any, path: str, retry_seconds: float) -> dict[str, Any]:
    from fsspec.asyn import sync

    found: dict[str, Any] = sync(system.loop, system._info, path, timeout=retry_seconds)
    return found


def fetch(uri: str, cache: FileCache, web: WebClient) -> Path:
    """The file or folder at a URI, on this machine's disk. Raises InputRefused."""
    files = list_files(uri, web)
    if len(files) > MAX_FILES:
        raise InputRefused(reason=f"{uri} has more than {MAX_FILES:,} files; pack them into an archive")
    for file in files:
        check_member(Path(uri), file.name)
    cache.check_size(sum(file.size or 0 for file in files), uri)
    key = "\n".join(f"{file.uri}\t{file.tag}\t{file.size}" for file in files)

    def bring(folder: Path) -> None:
        for file in files:
            download(file, folder / file.name, cache.limit, web)

    return cache.get(key, bring, sure=all(file.tag for file in files))


def download(file: RemoteFile, target: Path, most: int, web: WebClient) -> None:
    """Bring a file, going on where an earlier attempt ended. Raises InputRefused."""
    target.parent.mkdir(parents=True, exist_ok=True)
    have = web.download(file, target, most) if file.uri.startswith(WEB_SCHEMES) else _download(file, target, most)
    if file.size is not None and have != file.size:
        raise TransientError(f"{file.uri} ended after {have:,} of {file.size:,} bytes")


def _download(file: RemoteFile, target: Path, most: int) -> int:
    """Bring an object of a store. Returns its bytes."""
    system, path = _open(file.uri)
    have = target.stat().st_size if target.exists() else 0
    if file.size is None or have > file.size:
        have = 0
    with _translating_errors(file.uri), system.open(path, "rb", block_size=CHUNK_BYTES, cache_type="none") as source:
        if have and _file(file.uri, file.name, source.details).tag != file.tag:
            have = 0  # it has changed, and what is there is of another
        return _append(file, source, target, have, most)


def _append(file: RemoteFile, source: Any, target: Path, have: int, most: int) -> int:
    """Copy what comes after the first `have` bytes. Returns how many there are then."""
    if have:
        source.seek(have)
    with target.open("ab") as out:
        out.truncate(have)
        while part := source.read(CHUNK_BYTES):
            out.write(part)
            have += len(part)
            if have > most:
                raise InputRefused(reason=f"{file.uri} has more than {most:,} bytes; see SALIENCE_CACHE_GIB")
    return have


def read_bytes(uri: str, most: int, web: WebClient) -> bytes:
    """A file's content, of at most so many bytes. Raises InputRefused."""
    if uri.startswith(WEB_SCHEMES):
        return web.read_bytes(uri, most)
    system, path = _open(uri)
    found = bytearray()
    with _translating_errors(uri), system.open(path, "rb") as source:
        while part := source.read(CHUNK_BYTES):
            found += part
            if len(found) > most:
                raise InputRefused(reason=f"{uri} has more than {most:,} bytes")
    return bytes(found)


def _open(uri: str) -> tuple[Any, str]:
    """The store of a URI, and the path there."""
    if not uri.startswith(OBJECT_STORE_SCHEMES):
        raise InputRefused(reason=f"{uri!r} is none of {', '.join(SCHEMES)}")
    check_bucket(uri)
    os.environ.setdefault(*PLAIN_GCS)
    try:
        # By its name: of a whole URI, fsspec would follow others that are chained to it.
        import fsspec

        # And by what is there now, and not when a folder was listed last.
        system = fsspec.filesystem(uri.partition("://")[0], use_listings_cache=False)
    except ImportError as error:
        raise InputRefused(reason=f"{uri}: {error}; the worker needs the extra `clouds`") from error
    return system, system._strip_protocol(uri)


@contextmanager
def _translating_errors(uri: str) -> Iterator[None]:
    """What a server refuses is told with the URI; one that does not answer may do so later, and is no refusal."""
    try:
        yield
    except InputRefused:
        raise
    except REFUSALS as error:
        raise InputRefused(reason=f"{uri} may not be read with the credentials in the workers' environment") from error
    except FileNotFoundError as error:
        raise InputRefused(reason=f"{uri} does not exist") from error
    except UNFIT as error:
        raise InputRefused(reason=f"{uri!r} is not an address: {error}") from error
    except Exception as error:  # of as many libraries as there are schemes
        raise TransientError(f"{uri} cannot be had now: {str(error) or type(error).__name__}") from error


def _file(uri: str, name: str, info: dict[str, Any]) -> RemoteFile:
    tags = (info.get(key) for key in ("generation", "ETag", "etag", "md5Hash", "LastModified", "mtime"))
    return RemoteFile(uri, name, info.get("size"), str(next((tag for tag in tags if tag), "")))
