"""An unavailable server causes a transient error, which workers retry, and not a refusal of the input."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from service.errors import InputRefused, RegistryUnavailable, SettingsInvalid
from service.integrations.mlflow.client import MlflowClient
from tests.support.servers import free_port
from worker.inputs import mlflow
from worker.inputs import object_stores as remote
from worker.inputs.decode import UnreadableImage
from worker.inputs.image_bytes import image_opener
from worker.inputs.resolver import InputResolver

CONTENT = bytes(range(256)) * 400
LISTED = b'{"files": [{"path": "m.pt", "is_dir": false, "file_size": 102400}]}'


def answer(status: str, content: bytes, share: float = 1.0) -> bytes:
    """Return an HTTP response with the content, or with only the first `share` of it."""
    head = f'HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nETag: "1"\r\nConnection: close\r\n\r\n'
    return head.encode() + content[: int(share * len(content))]


WHOLE, HALF = answer("200 OK", CONTENT), answer("200 OK", CONTENT, 0.5)
UNAVAILABLE = answer("503 Service Unavailable", b"{}")


@contextmanager
def server(*answers: bytes) -> Iterator[str]:
    """Run a server that answers each connection with the next of the responses, and closes after the last one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            with suppress(OSError), listening:  # the test closes the socket while the thread waits for a connection
                for each in answers:
                    connection, _ = listening.accept()
                    with connection:
                        request = connection.recv(65536)
                        head, end, _ = each.partition(b"\r\n\r\n")
                        connection.sendall(head + end if request.startswith(b"HEAD") else each)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{port}"
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def model(url: str, places: InputResolver) -> None:
    remote.fetch(f"{url}/m.pt", places.cache, places.web)


def image(url: str, places: InputResolver) -> None:
    image_opener(places)(f"{url}/a.png")


@pytest.mark.parametrize(
    ("answers", "fetch"),
    [
        ([], model), ([WHOLE], model), ([WHOLE, HALF], model), ([WHOLE, UNAVAILABLE], model),
        ([UNAVAILABLE] * 2, model),
        ([], image), ([HALF], image), ([UNAVAILABLE], image),
    ],
)  # fmt: skip
def test_an_unavailable_web_server_is_a_transient_error(
    answers: list[bytes], fetch: Callable[[str, InputResolver], None], places: InputResolver
) -> None:
    with server(*answers) as url, pytest.raises(ConnectionError, match="is unavailable"):
        fetch(url, places)


def test_a_file_without_a_tag_is_fetched_completely_each_time(places: InputResolver) -> None:
    whole, half = (each.replace(b'ETag: "1"\r\n', b"") for each in (WHOLE, HALF))
    other = whole[: -len(CONTENT)] + CONTENT[::-1]
    with server(whole, half, whole, other, whole, other) as url:
        with pytest.raises(ConnectionError):
            model(url, places)
        assert [remote.fetch(f"{url}/m.pt", places.cache, places.web).read_bytes() for _ in range(2)] == [
            CONTENT[::-1],
            CONTENT[::-1],
        ]


@pytest.mark.parametrize(("status", "message"), [("404 Not Found", "does not exist"), ("403 Forbidden", "answers 403")])
def test_an_input_is_refused_if_the_web_server_refuses_the_request(
    status: str, message: str, places: InputResolver
) -> None:
    with server(*[answer(status, b"")] * 2) as url, pytest.raises(InputRefused, match=message):
        model(url, places)
    with server(*[answer(status, b"")] * 2) as url, pytest.raises(UnreadableImage, match=message):
        image(url, places)


INVALID = "address|unknown scheme|cannot be requested|without user|No such file|MLFLOW_TRACKING_URI"


@pytest.mark.parametrize("uri", ["http://[::1/a.png", "https://", "s3://", "models:/faces/1", "ftp://host/a.png"])
def test_an_image_with_an_invalid_address_is_unreadable_without_retries(uri: str, places: InputResolver) -> None:
    with pytest.raises(UnreadableImage, match=INVALID):
        image_opener(places)(uri)


@pytest.mark.parametrize(
    "answers",
    [
        [], [UNAVAILABLE], [answer("200 OK", LISTED, 0.5)], [answer("200 OK", LISTED)],
        [answer("200 OK", LISTED), WHOLE, HALF], [answer("200 OK", LISTED), UNAVAILABLE, UNAVAILABLE],
    ],
)  # fmt: skip
def test_an_unavailable_mlflow_is_a_transient_error(
    answers: list[bytes], places: InputResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(*answers) as url, pytest.raises(ConnectionError, match=r"does not respond|responded 503"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        mlflow.fetch("mlflow-artifacts:/0/m.pt", places.cache)


def test_an_interrupted_download_from_mlflow_resumes(places: InputResolver, monkeypatch: pytest.MonkeyPatch) -> None:
    half = len(CONTENT) // 2
    listed, rest = answer("200 OK", LISTED), answer("206 Partial Content", CONTENT[half:])
    rest = rest.replace(b"ETag", f"Content-Range: bytes {half}-{len(CONTENT) - 1}/{len(CONTENT)}\r\nETag".encode())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError):
        mlflow.pin_version("models:/faces@champion")
    with server(listed, WHOLE, HALF, listed, WHOLE, rest) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        with pytest.raises(ConnectionError):
            mlflow.fetch("mlflow-artifacts:/0/m.pt", places.cache)
        assert mlflow.fetch("mlflow-artifacts:/0/m.pt", places.cache).read_bytes() == CONTENT


def test_an_unavailable_object_store_is_a_transient_error(
    places: InputResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "AWS_ACCESS_KEY_ID": "a"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ConnectionError, match="is unavailable: Could not connect"):
        remote.fetch("s3://bucket/m.pt", places.cache, places.web)


REFUSAL = answer("400 Bad Request", b'{"message": "no such model"}')


@pytest.mark.parametrize("answers", [[], [UNAVAILABLE, UNAVAILABLE], [REFUSAL, REFUSAL]])
def test_no_message_contains_the_password_of_mlflow(
    answers: list[bytes], places: InputResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(*answers) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url.replace("//", "//user:hunter2@"))
        with pytest.raises((ConnectionError, InputRefused)) as refused:
            mlflow.pin_version("models:/faces@champion")
        with (
            pytest.raises(RegistryUnavailable) as reason,
            MlflowClient.connect(os.environ["MLFLOW_TRACKING_URI"]) as registry,
        ):
            registry.version("faces", "1")
    assert "MLflow" in str(refused.value)
    assert "hunter2" not in f"{refused.value}{reason.value}"


def test_no_message_contains_a_password_that_makes_the_url_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://user:hunter/2@127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    with pytest.raises(InputRefused, match=r"MLFLOW_TRACKING_URI .* percent-encode") as refused:
        mlflow.pin_version("models:/faces@champion")
    with (
        pytest.raises(SettingsInvalid, match=r"MLFLOW_TRACKING_URI .* percent-encode") as unfit,
        MlflowClient.connect(url),
    ):
        pass
    assert "hunter" not in f"{refused.value}{unfit.value}"
