"""Tests of the HTTP client with a server on loopback. The client may connect to 127.0.0.1 alone."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
import pytest

from service.errors import InputRefused
from service.net.allowed_hosts import AllowedHosts
from service.net.http_client import open_client

LOOPBACK = AllowedHosts.parse(["127.0.0.1"])


class Handler(BaseHTTPRequestHandler):
    """Redirects `/to/URL` to URL, sends the response of `/drip` slowly, and answers other paths at once."""

    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:  # http.server requires this method name
        self.requests.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/drip":
            for _ in range(100):
                self.wfile.write(b"H")
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"body")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_requests_go_to_allowed_addresses_only(port: int) -> None:
    Handler.requests.clear()
    with open_client(LOOPBACK, 10) as client:
        assert client.get(f"http://127.0.0.1:{port}/x").text == "body"
    with open_client(AllowedHosts(), 10) as client, pytest.raises(InputRefused, match=r"127\.0\.0\.1 is not a public"):
        client.get(f"http://127.0.0.1:{port}/y")
    assert Handler.requests == ["/x"]


@pytest.mark.parametrize("target", ["http://127.0.0.2:{port}/x", "http://[::1]:{port}/x", "http://169.254.169.254/"])
def test_a_redirect_to_an_address_that_is_not_allowed_is_refused(port: int, target: str) -> None:
    with open_client(LOOPBACK, 10) as client, pytest.raises(InputRefused, match="not a public address"):
        client.get(f"http://127.0.0.1:{port}/to/{target.format(port=port)}")


def test_redirects_are_limited_in_number_and_to_http(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    with open_client(LOOPBACK, 10, redirects=2) as client:
        assert client.get(f"{base}/to/{base}/to/{base}/x").text == "body"
        with pytest.raises(httpx.TooManyRedirects):
            client.get(f"{base}/to/{base}/to/{base}/to/{base}/x")
        with pytest.raises(httpx.UnsupportedProtocol):
            client.get(f"{base}/to/file:///etc/passwd")


def test_the_client_connects_to_the_address_that_was_checked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is patched so that the address of a name changes at each lookup, as in DNS rebinding."""
    lookups, real = [], socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **more: Any) -> Any:
        if host != "rebinding.example":
            return real(host, *rest, **more)
        lookups.append(host)
        return real(f"127.0.0.{len(lookups)}", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with open_client(LOOPBACK, 10) as client:
        assert client.get(f"http://rebinding.example:{port}/x").text == "body"
        assert len(lookups) == 1
        with pytest.raises(InputRefused, match=r"rebinding\.example \(127\.0\.0\.2\)"):
            client.get(f"http://rebinding.example:{port}/x")


def test_a_slow_response_ends_at_the_time_limit(port: int) -> None:
    start = time.monotonic()
    with open_client(LOOPBACK, 0.5) as client, pytest.raises(httpx.ReadTimeout):
        client.get(f"http://127.0.0.1:{port}/drip")
    assert time.monotonic() - start < 3


def test_a_request_to_an_unknown_host_raises_connect_error() -> None:
    with open_client(LOOPBACK, 5) as client:
        for name in ("nobody.invalid", "x" * 70 + ".example"):
            with pytest.raises(httpx.ConnectError):
                client.get(f"http://{name}/")
