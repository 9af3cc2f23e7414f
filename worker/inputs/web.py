"""Files of the web, by http and https: only from addresses that are allowed, within limits of time and size."""

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
# As they are kept, so that lengths and ranges mean the file's bytes, and nothing grows on its way.
UNCOMPRESSED = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere: its URI, its path below what was asked for, its bytes, and what changes when it does.

    Without such a `tag`, nothing tells whether it is what it was.
    """

    uri: str
    name: str
    size: int | None
    tag: str


def entity_tag(answer: httpx.Response) -> str:
    """What a server says that changes when a file does; nothing, where it does not say."""
    return str(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "") if answer.is_success else ""


def resume_headers(file: RemoteFile, have: int) -> dict[str, str]:
    """Headers that ask for what comes after the first bytes, or for all of a file that has changed since."""
    is_weak = not file.tag or file.tag.startswith("W/")  # a mark that may not be used so
    return {"Range": f"bytes={have}-"} | ({} if is_weak else {"If-Range": file.tag})


def resumes(file: RemoteFile, have: int, answer: httpx.Response) -> bool:
    """Whether an answer is the rest of the same file; there are servers that do not look whether it is."""
    starts = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    return starts and entity_tag(answer) in ("", file.tag)


@dataclass(frozen=True)
class WebClient:
    """The web as it is asked on behalf of users. One request takes at most so many seconds."""

    allowed: AllowedHosts = PUBLIC_ONLY
    seconds: float = SECONDS

    def head(self, uri: str) -> RemoteFile:
        """What is at a URI. Raises InputRefused."""
        with self._open("HEAD", uri) as answer:
            if answer.is_success:
                return _file(uri, answer)
        with self._open("GET", uri) as answer:  # there are servers, and signed URIs, that only know this one
            _check(uri, answer)
            return _file(uri, answer)

    def download(self, file: RemoteFile, target: Path, most: int) -> int:
        """Bring a file, going on where an earlier attempt ended. Returns its bytes. Raises InputRefused."""
        have = target.stat().st_size if target.exists() else 0
        if have and have == file.size:
            return have
        wanted = resume_headers(file, have) if have and file.size is not None and have < file.size else {}
        with self._open("GET", file.uri, wanted) as answer:
            _check(file.uri, answer)
            is_rest = answer.status_code == HTTPStatus.PARTIAL_CONTENT
            if is_rest and not resumes(file, have, answer):
                target.unlink(missing_ok=True)
                raise TransientError(f"{file.uri} changed while it was fetched, which begins anew")
            with target.open("ab" if is_rest else "wb") as out:
                for part in answer.iter_raw():
                    out.write(part)
                    if out.tell() > most:
                        raise InputRefused(reason=f"{file.uri} has more than {most:,} bytes; see SALIENCE_CACHE_GIB")
                return out.tell()

    def read_bytes(self, uri: str, most: int) -> bytes:
        """A file's content, of at most so many bytes. Raises InputRefused."""
        found = bytearray()
        with self._open("GET", uri) as answer:
            _check(uri, answer)
            for part in answer.iter_raw():
                found += part
                if len(found) > most:
                    raise InputRefused(reason=f"{uri} has more than {most:,} bytes")
        return bytes(found)

    @contextmanager
    def _open(self, method: str, uri: str, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
        """The answer. What keeps a server from giving it may pass, and is no refusal."""
        try:
            with (
                open_client(self.allowed, self.seconds) as client,
                client.stream(method, uri, headers={**UNCOMPRESSED, **(headers or {})}) as answer,
            ):
                yield answer
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            raise InputRefused(reason=f"{uri} cannot be asked: {error}") from error
        except httpx.TransportError as error:
            raise TransientError(f"{uri} cannot be had now: {str(error) or type(error).__name__}") from error


def _check(uri: str, answer: httpx.Response) -> None:
    status = answer.status_code
    if answer.is_success:
        return
    if status in GONE:
        raise InputRefused(reason=f"{uri} does not exist")
    if status in FORBIDDEN:
        raise InputRefused(reason=f"{uri} may not be read: its server answers {status}")
    if status in TRANSIENT_STATUSES or answer.is_server_error:
        raise TransientError(f"{uri} cannot be had now: its server answers {status}")
    raise InputRefused(reason=f"{uri} cannot be had: its server answers {status}")


def _file(uri: str, answer: httpx.Response) -> RemoteFile:
    length = answer.headers.get("Content-Length", "")
    name = PurePosixPath(unquote(urlsplit(uri).path)).name
    return RemoteFile(uri, name or "file", int(length) if length.isdecimal() else None, entity_tag(answer))
