"""Downloads files over http and https, only from allowed addresses and within limits of time and size."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

from service.errors import InputRefused
from service.errors.transient import TransientError
from service.net.allowed_hosts import PUBLIC_ONLY, AllowedHosts
from service.net.http_client import open_client

SECONDS = 3600.0
FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)
GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
TRANSIENT_STATUSES = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
# Without compression, so that lengths and ranges count the file's own bytes.
UNCOMPRESSED = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class RemoteFile:
    """A remote file: its URI, its path below the requested URI, and its size in bytes.

    `tag` changes with the file's content; it is empty if the server gives none.
    """

    uri: str
    name: str
    size: int | None
    tag: str


def entity_tag(answer: httpx.Response) -> str:
    """Return a server's tag of a file's version (ETag or Last-Modified), or an empty string."""
    return str(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "") if answer.is_success else ""


def resume_headers(file: RemoteFile, have: int) -> dict[str, str]:
    """Return headers that request the file after its first `have` bytes, or the whole file if it has changed."""
    is_weak = not file.tag or file.tag.startswith("W/")  # HTTP forbids weak tags in If-Range
    return {"Range": f"bytes={have}-"} | ({} if is_weak else {"If-Range": file.tag})


def resumes(file: RemoteFile, have: int, answer: httpx.Response) -> bool:
    """Return whether a response is the rest of the same file, since some servers ignore If-Range."""
    starts = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    return starts and entity_tag(answer) in ("", file.tag)


@dataclass(frozen=True)
class WebClient:
    """Sends requests for users' URIs to allowed hosts. One request takes at most `seconds`."""

    allowed: AllowedHosts = PUBLIC_ONLY
    seconds: float = SECONDS

    def head(self, uri: str) -> RemoteFile:
        """Return the name, size and tag of the file at a URI. Raises InputRefused."""
        with self._open("HEAD", uri) as answer:
            if answer.is_success:
                return _file(uri, answer)
        with self._open("GET", uri) as answer:  # some servers and signed URIs only allow GET
            _check(uri, answer)
            return _file(uri, answer)

    def download(self, file: RemoteFile, target: Path, max_bytes: int) -> int:
        """Download a file, and resume an earlier attempt. Return its size in bytes. Raises InputRefused."""
        have = target.stat().st_size if target.exists() else 0
        if have and have == file.size:
            return have
        headers = resume_headers(file, have) if have and file.size is not None and have < file.size else {}
        with self._open("GET", file.uri, headers) as answer:
            _check(file.uri, answer)
            is_rest = answer.status_code == HTTPStatus.PARTIAL_CONTENT
            if is_rest and not resumes(file, have, answer):
                target.unlink(missing_ok=True)
                raise TransientError(f"{file.uri} changed during the download, which starts again")
            with target.open("ab" if is_rest else "wb") as out:
                for part in answer.iter_raw():
                    out.write(part)
                    if out.tell() > max_bytes:
                        raise InputRefused(
                            reason=f"{file.uri} has more than {max_bytes:,} bytes; raise SALIENCE_CACHE_GIB to fetch it"
                        )
                return out.tell()

    def read_bytes(self, uri: str, max_bytes: int) -> bytes:
        """Read a file of at most `max_bytes` bytes. Raises InputRefused."""
        found = bytearray()
        with self._open("GET", uri) as answer:
            _check(uri, answer)
            for part in answer.iter_raw():
                found += part
                if len(found) > max_bytes:
                    raise InputRefused(reason=f"{uri} has more than {max_bytes:,} bytes")
        return bytes(found)

    @contextmanager
    def _open(self, method: str, uri: str, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
        """Yield the response. Raises TransientError if the server does not answer, InputRefused for an invalid URI."""
        try:
            with (
                open_client(self.allowed, self.seconds) as client,
                client.stream(method, uri, headers={**UNCOMPRESSED, **(headers or {})}) as answer,
            ):
                yield answer
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            raise InputRefused(reason=f"{uri} cannot be requested: {error}") from error
        except httpx.TransportError as error:
            raise TransientError(f"{uri} is unavailable: {str(error) or type(error).__name__}") from error


def _check(uri: str, answer: httpx.Response) -> None:
    status = answer.status_code
    if answer.is_success:
        return
    if status in GONE:
        raise InputRefused(reason=f"{uri} does not exist")
    if status in FORBIDDEN:
        raise InputRefused(reason=f"{uri}: access denied, its server answers {status}")
    if status in TRANSIENT_STATUSES or answer.is_server_error:
        raise TransientError(f"{uri} is unavailable: its server answers {status}")
    raise InputRefused(reason=f"{uri} cannot be downloaded: its server answers {status}")


def _file(uri: str, answer: httpx.Response) -> RemoteFile:
    length = answer.headers.get("Content-Length", "")
    name = PurePosixPath(unquote(urlsplit(uri).path)).name
    return RemoteFile(uri, name or "file", int(length) if length.isdecimal() else None, entity_tag(answer))
