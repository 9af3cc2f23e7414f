"""HTTP client for URLs that users supply: it connects only to addresses that AllowedHosts permits.

The address is checked each time a connection is opened, so redirects are checked too. The client connects to exactly
the address that was checked, which defeats DNS rebinding. Every connection has a maximum lifetime, so a server that
sends its response slowly cannot hold it open.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from service.net.allowed_hosts import AllowedHosts

CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
MAX_REDIRECTS, MAX_CONNECTIONS = 5, 100
HTTPX_ERRORS: Mapping[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ReadError: httpx.ReadError,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.WriteError: httpx.WriteError,
    httpcore.WriteTimeout: httpx.WriteTimeout,
}


def find_url_problem(url: str) -> str | None:
    """Return why a webhook URL is invalid; None if it is valid."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        return f"invalid URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.host:
        return "write https://HOST/PATH, or http:// inside your own network"
    return "remove the user name and password; receivers authenticate messages by signature" if parts.userinfo else None


def open_client(allowed: AllowedHosts, seconds: float, redirects: int = MAX_REDIRECTS) -> httpx.Client:
    """Return a thread-safe client whose connections live at most `seconds` and which follows this many redirects.

    Requests raise InputRefused if an address is not allowed, and the errors of httpx otherwise.
    """
    return httpx.Client(
        transport=GuardedTransport(allowed, seconds),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=redirects > 0,
        max_redirects=redirects,
    )


class GuardedTransport(httpx.BaseTransport):
    """A transport that connects to allowed addresses only. It uses no proxy, since a proxy would bypass the check."""

    def __init__(self, allowed: AllowedHosts, seconds: float) -> None:
        self._connections = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=0,
            network_backend=_GuardedBackend(allowed, seconds),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the response, whose body is not read yet."""
        url = request.url
        with _httpx_errors():
            response = self._connections.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_ResponseStream(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()


class _ResponseStream(httpx.SyncByteStream):
    """The body of a response, read in parts."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """Raise the errors of httpcore as the errors of httpx with the same names."""
    try:
        yield
    except tuple(HTTPX_ERRORS) as error:
        raise HTTPX_ERRORS[type(error)](str(error)) from error


class _GuardedBackend(httpcore.NetworkBackend):
    """Resolves a host once and connects to an allowed address of it."""

    def __init__(self, allowed: AllowedHosts, seconds: float) -> None:
        self._allowed, self._seconds, self._backend = allowed, seconds, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        end = time.monotonic() + self._seconds
        try:
            addresses = self._allowed.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"cannot resolve {host}: {error}") from error
        failure = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                opened = self._backend.connect_tcp(str(address), port, timeout, local_address, socket_options)
                return _ExpiringStream(opened, end)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = httpcore.ConnectError(str(error))
        raise failure


class _ExpiringStream(httpcore.NetworkStream):
    """A connection that fails every operation after the time `end`."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream, self._end = stream, end

    def _remaining(self, timeout: float | None, late: type[Exception]) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise late("the response took too long")
        return left if timeout is None else min(left, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._remaining(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._remaining(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_ExpiringStream":
        left = self._remaining(timeout, httpcore.ConnectTimeout)
        return _ExpiringStream(self._stream.start_tls(ssl_context, server_hostname, left), self._end)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
