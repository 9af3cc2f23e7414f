"""Against servers on loopback, of which one address is allowed and others are not."""

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

HERE = AllowedHosts.parse(["127.0.0.1"])


class Web(BaseHTTPRequestHandler):
    """Leads on to where the path says; `/drip` never ends."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:  # the name that http.server calls
        self.asked.append(self.path)
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
            self.wfile.write(b"here")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_an_address_is_asked_where_it_is_allowed_and_else_not_even_connected_to(port: int) -> None:
    Web.asked.clear()
    with open_client(HERE, 10) as client:
        assert client.get(f"http://127.0.0.1:{port}/x").text == "here"
    with open_client(AllowedHosts(), 10) as client, pytest.raises(InputRefused, match=r"127\.0\.0\.1 is not a public"):
        client.get(f"http://127.0.0.1:{port}/y")
    assert Web.asked == ["/x"]


@pytest.mark.parametrize("target", ["http://127.0.0.2:{port}/x", "http://[::1]:{port}/x", "http://169.254.169.254/"])
def test_a_redirect_to_what_is_not_allowed_is_not_followed(port: int, target: str) -> None:
    with open_client(HERE, 10) as client, pytest.raises(InputRefused, match="not a public address"):
        client.get(f"http://127.0.0.1:{port}/to/{target.format(port=port)}")


def test_redirects_are_followed_so_many_times_and_only_to_the_web(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    with open_client(HERE, 10, redirects=2) as client:
        assert client.get(f"{base}/to/{base}/to/{base}/x").text == "here"
        with pytest.raises(httpx.TooManyRedirects):
            client.get(f"{base}/to/{base}/to/{base}/to/{base}/x")
        with pytest.raises(httpx.UnsupportedProtocol):
            client.get(f"{base}/to/file:///etc/passwd")


def test_what_a_name_stood_for_when_it_was_checked_is_what_is_connected_to(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means something else at each look, as in DNS rebinding; no resolver here can be had to do that."""
    looked_up, plain = [], socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **more: Any) -> Any:
        if host != "rebinding.example":
            return plain(host, *rest, **more)
        looked_up.append(host)
        return plain(f"127.0.0.{len(looked_up)}", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with open_client(HERE, 10) as client:
        assert client.get(f"http://rebinding.example:{port}/x").text == "here"
        assert len(looked_up) == 1
        with pytest.raises(InputRefused, match=r"rebinding\.example \(127\.0\.0\.2\)"):
            client.get(f"http://rebinding.example:{port}/x")


def test_an_answer_that_drips_is_not_waited_for(port: int) -> None:
    began = time.monotonic()
    with open_client(HERE, 0.5) as client, pytest.raises(httpx.ReadTimeout):
        client.get(f"http://127.0.0.1:{port}/drip")
    assert time.monotonic() - began < 3


def test_an_unknown_name_is_no_connection() -> None:
    with open_client(HERE, 5) as client:
        for name in ("nobody.invalid", "x" * 70 + ".example"):
            with pytest.raises(httpx.ConnectError):
                client.get(f"http://{name}/")
