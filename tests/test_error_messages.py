"""Checks that error messages name an input by the URI that a user knows, and contain no path inside the service."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from tests.support.image_sets import add, as_zip
from tests.support.jobs import AuditInputs, write_image
from tests.support.models import TinyNet
from tests.support.worker_thread import working
from worker.runner import Runner

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CHECKPOINT = {"architecture": "torchvision/resnet18"}


def zipped(*names: str, content: bytes = b"{}") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return out.getvalue()


def tarred(mode: str = "w", link: bool = False) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]  # a mode of tarfile
        add(archive, "config.json", np.random.default_rng(0).bytes(50_000))
        if link:
            member = tarfile.TarInfo("a.png")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)
    return out.getvalue()


def weights() -> bytes:
    out = io.BytesIO()
    torch.save(TinyNet(0).state_dict(), out)
    return out.getvalue()


# For each model: the uploaded bytes, the settings of the model in the spec, and a part of the error message.
MODELS: list[tuple[bytes, dict[str, Any], str]] = [
    (b"no model", {}, "has no known model format"),
    (zipped("a/data.pkl")[:-30], {}, "is a damaged archive"),
    (zipped("config.json", "README.md"), {}, "has a config.json, but no .safetensors"),
    (zipped("config.json", "a" * 300), {}, "File name too long"),
    (zipped("config.json", "../b"), {}, "has the member '../b'"),
    (tarred(link=True), {}, "has the member 'a.png', which is a link"),
    (tarred("w:gz")[:20_000], {}, "is a damaged archive"),
    (b"\x80\x02rest", CHECKPOINT, "is a damaged checkpoint"),
    (weights()[:5000], CHECKPOINT, "damaged"),
    (weights(), CHECKPOINT, "does not fit torchvision/resnet18"),
    (weights(), {}, "is a checkpoint"),
    (zipped("x/constants.pkl", "x/code/a.py"), {}, "is a damaged TorchScript archive"),
    (zipped("x/models/model.json"), {}, "is damaged, or not a torch.export archive"),
    (b"\x08\x07\x12\x03abc", {}, "ONNX"),
]
IMAGES: list[tuple[bytes, str]] = [
    (zipped("a.png")[:-30], "is a damaged zip file"),
    (zipped("../a.png"), "has the member '../a.png'"),
    (zipped("a.txt"), "contains no image"),
    (tarred(link=True), "has the member 'a.png', which is a link"),
    (tarred("w:gz")[:20_000], "is a damaged archive"),
    (b"PAR1" + bytes(100), "is a damaged Parquet file"),
    (b"image\n/etc/passwd\n", "an uploaded manifest has no folder"),
]


class CheckedClient:
    """Sends requests, and asserts that no response contains the path of the service's data folder."""

    def __init__(self, api: httpx.Client, folder: Path) -> None:
        self._api, self._folder = api, str(folder)

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = self._api.request(method, path, timeout=60, **more)
        assert self._folder not in answer.text
        return answer

    def upload(self, content: bytes) -> str:
        return str(self("PUT", "/v1/artifacts", content=content).json()["uri"])

    def outcome(self, body: dict[str, Any]) -> dict[str, Any]:
        """Submit a job and wait until it has ended. Returns the job, or the problem if the API refuses the spec."""
        found: dict[str, Any] = self("POST", "/v1/jobs", json=body).json()
        while found.get("state") in ("queued", "running"):
            found = self("GET", f"/v1/jobs/{found['id']}", params={"wait": 5}).json()
        return found


@pytest.fixture
def client(api: httpx.Client, runner: Runner, tmp_path: Path) -> Iterator[CheckedClient]:
    with working(runner):
        yield CheckedClient(api, tmp_path)


def test_an_error_about_an_uploaded_model_names_its_uri(client: CheckedClient, ingredients: AuditInputs) -> None:
    for content, model, message in MODELS:
        uri = client.upload(content)
        ended = client.outcome(ingredients.body(cohorts=[{"name": "c", "model": model, "runs": [{"uri": uri}]}]))
        reason = (ended.get("error") or ended)["detail"]
        assert (uri in reason, message in reason) == (True, True), reason
        if "error" not in ended:  # the API refused the job, so no worker has seen the model
            inspection = client("POST", "/v1/inspect", json={"model": {"uri": uri, **model}})
            assert inspection.status_code == 200 or uri in inspection.json()["detail"]


def test_an_error_about_an_uploaded_image_set_names_its_uri(client: CheckedClient, ingredients: AuditInputs) -> None:
    for content, message in IMAGES:
        uri = client.upload(content)
        ended = client.outcome(ingredients.body(images={"uri": uri}))
        reason = (ended.get("error") or ended)["detail"]
        assert (uri in reason, message in reason) == (True, True), reason
        if "error" not in ended:
            assert uri in client("POST", "/v1/inspect", json={"images": {"uri": uri}}).json()["detail"]


def test_an_error_about_an_image_names_its_path_in_the_archive(
    client: CheckedClient, runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    for number in range(2):
        write_image(folder / "real" / f"{number}.png", np.random.default_rng(number))
    (folder / "real" / "bad.png").write_bytes(b"not an image")
    uri = client.upload(as_zip(folder, tmp_path).read_bytes())
    inspection = client("POST", "/v1/inspect", json={"images": {"uri": uri}}).json()["found"]
    assert inspection["errors"] == [{"image": "real/bad.png", "reason": "not an image in a known format"}]
    few = {"images": {"uri": uri, "max_skipped": 0.5}, "measures": ["entropy"], "maps": {"keep": 0}}
    job = client.outcome(ingredients.body(cohorts=[ingredients.cohort("c", 0)], **few))
    assert job["state"] == "succeeded"
    path = f"/v1/jobs/{job['id']}"
    assert "real/bad.png" in client("GET", f"{path}/results").text
    assert "real/bad.png" in client("GET", f"{path}/images").text
    client("GET", f"{path}/report")
    digest = uri.rpartition(":")[2]
    stored = Path(runner.context.inputs.artifacts.location, digest[:2], digest)
    stored.unlink()  # an operator might delete the file as well
    responses = [client("GET", f"{path}/images/{image}/map.png") for image in range(3)]
    assert [each.status_code for each in responses] == [422] * 3
    assert sum("is no longer readable" in each.text for each in responses) == 2


def test_an_error_about_a_fetched_file_names_its_uri_without_secrets(runner: Runner) -> None:
    resolver = runner.context.inputs
    uri = "https://someone:secret@example.org/models/m.pth?sig=secret"
    cached = f"{resolver.cache.folder}/objects/{'0' * 64}"
    assert resolver.user_text(f"{cached}/m.pth is bad", uri) == "https://***@example.org/models/m.pth?*** is bad"
    assert resolver.user_text(f"{uri} is bad", uri) == "https://***@example.org/models/m.pth?*** is bad"
    assert resolver.user_text(f"{cached}/m.pt/config.json is bad", "runs:/1/m.pt") == "runs:/1/m.pt/config.json is bad"
    assert resolver.user_text(f"OSError: '{cached}/x'") == "OSError: 'a fetched file/x'"
    assert resolver.user_text(f"{resolver.cache.folder}-2/x is bad") == f"{resolver.cache.folder}-2/x is bad"
