"""Fetches models and images from MLflow by `models:/name/version` and `runs:/id/path`, over its REST API."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from service.errors import InputRefused, SettingsInvalid
from service.errors.transient import TransientError
from service.inputs.archives import check_member
from service.integrations.mlflow.client import API, INVALID_URL, open_http_client, tracking_server
from service.telemetry.redaction import redact
from worker.inputs.cache import FileCache
from worker.inputs.web import RemoteFile, entity_tag, resume_headers, resumes

PROXY = "mlflow-artifacts"
SECONDS = 30
MAX_STEPS = 5  # most requests to resolve a URI: a version refers to a model, and a model to the location of its files


def pin_version(uri: str) -> str:
    """Return the URI with its alias replaced by the current version of that alias. Raises InputRefused."""
    name, at, alias = uri.removeprefix("models:/").partition("@")
    if not uri.startswith("models:/") or not at:
        return uri
    found = _request("registered-models/alias", name=name, alias=alias)
    return f"models:/{name}/{found['model_version']['version']}"


def artifact_uri(uri: str) -> str:
    """Return the URI of the files that a `models:/` or `runs:/` URI names; return any other URI unchanged.

    Raises InputRefused.
    """
    for _ in range(MAX_STEPS):
        if uri.startswith("models:/"):
            uri = _of_model(uri)
        elif uri.startswith("runs:/"):
            uri = _of_run(uri)
        else:
            return uri
    raise InputRefused(reason=f"{uri}: MLflow resolves this URI to itself; correct its registered artifact location")


def _of_model(uri: str) -> str:
    name, _, version = pin_version(uri).removeprefix("models:/").rpartition("/")
    if not name:  # the URI names a logged model by its ID
        found: str = _request(f"logged-models/{quote(version, safe='')}")["model"]["info"]["artifact_uri"]
        return found
    if not version.isdigit():
        raise InputRefused(reason=f"{uri!r}: write models:/name/version or models:/name@alias")
    location: str = _request("model-versions/get-download-uri", name=name, version=version)["artifact_uri"]
    return location


def _of_run(uri: str) -> str:
    run, _, path = uri.removeprefix("runs:/").partition("/")
    found = _request("runs/get", run_id=run)["run"]
    # Since MLflow 3, the models that a run logs are stored outside the run.
    for output in found.get("outputs", {}).get("model_outputs", []):
        model = _request(f"logged-models/{quote(output['model_id'], safe='')}")["model"]["info"]
        if model["name"] == path:
            return str(model["artifact_uri"])
    return f"{found['info']['artifact_uri']}/{path}".rstrip("/")


def list_files(uri: str) -> Sequence[RemoteFile]:
    """List the file at an `mlflow-artifacts:` URI, or the files below it, sorted by name. Raises InputRefused."""
    root = _root(uri)
    below = [RemoteFile(f"{PROXY}:/{path}", path.removeprefix(f"{root}/"), size, "") for path, size in _list(root)]
    folder, _, name = root.rpartition("/")
    files = below or [RemoteFile(uri, name, size, "") for path, size in _list(folder) if path == root]
    if not files:
        raise InputRefused(reason=f"{uri}: no files found")
    return sorted(files, key=lambda file: file.name)


def fetch(uri: str, cache: FileCache) -> Path:
    """Download the files at an `mlflow-artifacts:` URI from the tracking server. Raises InputRefused."""
    files = tagged(list_files(uri))
    cache.check_size(sum(file.size or 0 for file in files), uri)
    key = "\n".join([_server(), uri, *(f"{file.uri}\t{file.tag}\t{file.size}" for file in files)])
    return cache.get(key, lambda folder: _download_all(files, folder), identifies=all(file.tag for file in files))


def tagged(files: Sequence[RemoteFile]) -> Sequence[RemoteFile]:
    """Return the files with their entity tags, which file lists lack.

    A server that stores its files in an object store sends new tags each time, since it serves copies.
    """
    with _client() as client:
        answers = [client.head(_url(file.uri)) for file in files]
    return [replace(file, tag=entity_tag(answer)) for file, answer in zip(files, answers, strict=True)]


def read_bytes(uri: str, most: int) -> bytes:
    """Read the file at an `mlflow-artifacts:` URI. Raises InputRefused, also if it has over `most` bytes."""
    found = bytearray()
    with _client() as client, client.stream("GET", _url(uri)) as answer:
        _check(answer, uri)
        for part in answer.iter_bytes():
            found += part
            if len(found) > most:
                raise InputRefused(reason=f"{uri} has more than {most:,} bytes")
    return bytes(found)


def _list(folder: str) -> Iterator[tuple[str, int]]:
    answer = _get(f"/api/2.0/{PROXY}/artifacts", {"path": folder})
    for each in answer.json().get("files", []):
        path = f"{folder}/{each['path'].rpartition('/')[2]}"
        if each.get("is_dir"):
            yield from _list(path)
        else:
            yield path, int(each.get("file_size") or 0)


def _download_all(files: Sequence[RemoteFile], folder: Path) -> None:
    for file in files:
        check_member(Path(file.uri), file.name)
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.stat().st_size != file.size:
            download(file, target)


def download(file: RemoteFile, target: Path) -> None:
    """Download a file, and resume an interrupted download if the server supports it. Raises TransientError."""
    have = target.stat().st_size if target.exists() else 0
    headers = resume_headers(file, have) if have else {}
    with _client() as client, client.stream("GET", _url(file.uri), headers=headers) as answer:
        _check(answer, file.uri)
        is_rest = answer.status_code == httpx.codes.PARTIAL_CONTENT
        if is_rest and not resumes(file, have, answer):
            target.unlink(missing_ok=True)
            raise TransientError(f"{file.uri} changed during the download; the download starts again")
        with target.open("ab" if is_rest else "wb") as out:
            for part in answer.iter_bytes():
                out.write(part)


def _root(uri: str) -> str:
    """Return the path of an artifact on the server."""
    return urlsplit(uri).path.strip("/")


def _url(uri: str) -> str:
    return f"/api/2.0/{PROXY}/artifacts/{quote(_root(uri))}"


def _request(call: str, **query: str) -> dict[str, Any]:
    found: dict[str, Any] = _get(f"{API}/{call}", query).json()
    return found


def _get(path: str, query: dict[str, str]) -> httpx.Response:
    with _client() as client:
        answer = client.get(path, params=query)
        _check(answer, path)
        return answer


def _check(answer: httpx.Response, what: str) -> None:
    if answer.status_code < httpx.codes.BAD_REQUEST:
        return
    answer.read()
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise TransientError(f"MLflow responded {answer.status_code} to {what}")
    try:
        message = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        message = f"{answer.status_code} for {what}"
    raise InputRefused(reason=f"MLflow at {redact(_server())} responded: {message}")


def _server() -> str:
    server = tracking_server()
    if not server:
        raise InputRefused(
            reason="models:/ and runs:/ need MLFLOW_TRACKING_URI in the workers' environment, as http(s)://"
        )
    return server


@contextmanager
def _client() -> Iterator[httpx.Client]:
    """Open a client of the server. Connection errors become TransientError."""
    try:
        with open_http_client(_server(), SECONDS, follow_redirects=True) as client:
            yield client
    except (httpx.InvalidURL, SettingsInvalid):  # the message of InvalidURL may contain a part of the password
        raise InputRefused(reason=INVALID_URL) from None
    except httpx.TransportError as error:
        raise TransientError(
            f"MLflow at {redact(_server())} does not respond: {str(error) or type(error).__name__}"
        ) from error
