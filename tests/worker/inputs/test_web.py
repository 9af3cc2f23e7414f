"""Requests to web servers. test_object_stores.py tests downloads that resume."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.errors import InputRefused
from service.net.allowed_hosts import AllowedHosts
from worker.inputs.web import WebClient

LOCAL = WebClient(AllowedHosts.parse(["127.0.0.1"]))


class Site(BaseHTTPRequestHandler):
    """Answers GET with the status code in the path, and refuses HEAD, as for a URI that is signed for GET only."""

    def do_HEAD(self) -> None:  # http.server calls methods by such names
        self.send_error(403)

    def do_GET(self) -> None:  # as above
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "5")
        self.send_header("Last-Modified", "today")
        self.end_headers()
        self.wfile.write(b"bytes")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_name_and_size_are_found_for_a_uri_that_allows_get_only(url: str, tmp_path: Path) -> None:
    found = LOCAL.head(f"{url}/200/a%20model.pt?signed=1")
    assert (found.name, found.size, found.tag) == ("a model.pt", 5, "today")
    assert LOCAL.download(found, tmp_path / "m", 5) == 5
    assert LOCAL.read_bytes(found.uri, 5) == b"bytes"


REFUSED = {
    404: "does not exist",
    410: "does not exist",
    401: "access denied",
    403: "access denied",
    418: "answers 418",
}


@pytest.mark.parametrize(("status", "message"), REFUSED.items())
def test_a_refusal_by_the_server_refuses_the_input(url: str, status: int, message: str) -> None:
    with pytest.raises(InputRefused, match=message):
        LOCAL.head(f"{url}/{status}")
    with pytest.raises(InputRefused, match=message):
        LOCAL.read_bytes(f"{url}/{status}", 100)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_transient_status_of_a_web_server_is_a_transient_error(url: str, status: int) -> None:
    with pytest.raises(ConnectionError, match=str(status)):
        LOCAL.head(f"{url}/{status}")


def test_a_file_beyond_the_limit_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="more than 4 bytes"):
        LOCAL.read_bytes(f"{url}/200", 4)
    with pytest.raises(InputRefused, match="SALIENCE_CACHE_GIB"):
        LOCAL.download(LOCAL.head(f"{url}/200/m"), tmp_path / "m", 4)


def test_no_request_is_sent_to_a_host_that_is_not_allowed(url: str) -> None:
    with pytest.raises(InputRefused, match="SALIENCE_ALLOWED_HOSTS"):
        WebClient().head(f"{url}/200")
