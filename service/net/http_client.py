"""Requests to addresses that users name: only where AllowedHosts allows, checked for each connection that is opened.

So each redirect is checked as the first request is, and a name that changes its meaning gains nothing: the address
that was checked is the one connected to. No connection lives longer than its time, however little is sent how often.
"""

import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from service.net.allowed_hosts import AllowedHosts

CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
MAX_REDIRECTS, MAX_CONNECTIONS = 5, 100


def open_client(allowed: AllowedHosts, seconds: float, redirects: int = MAX_REDIRECTS) -> httpx.Client:
    """A client for what users name, whose connections live so many seconds. Threads may share it.

    Its requests raise InputRefused for an address that is not asked, else what those of httpx raise.
    """
    return httpx.Client(
        transport=GuardedTransport(allowed, seconds),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=redirects > 0,
        max_redirects=redirects,
    )


class GuardedTransport(httpx.HTTPTransport):
    """Opens connections where it is allowed. Knows no proxy, which would do the asking out of sight."""

    def __init__(self, allowed: AllowedHosts, seconds: float) -> None:
        trusted = httpx.create_ssl_context()
        super().__init__(verify=trusted)
        # httpx has no way to name a backend; httpcore, which makes its connections, has.
        self._pool = httpcore.ConnectionPool(
            ssl_context=trusted,
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=0,
            network_backend=_GuardedBackend(allowed, seconds),
        )


class _GuardedBackend(httpcore.NetworkBackend):
    def __init__(self, allowed: AllowedHosts, seconds: float) -> None:
        self._allowed, self._seconds, self._plain = allowed, seconds, httpcore.SyncBackend()

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
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        failure = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                opened = self._plain.connect_tcp(str(address), port, timeout, local_address, socket_options)
                return _ExpiringStream(opened, end)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = httpcore.ConnectError(str(error))
        raise failure


class _ExpiringStream(httpcore.NetworkStream):
    """A connection that ends at its time."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream, self._end = stream, end

    def _remaining(self, timeout: float | None, late: type[Exception]) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise late("the answer took longer than it may")
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
