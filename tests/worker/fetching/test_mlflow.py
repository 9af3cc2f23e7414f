"""Against a real MLflow server."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service import tether
from service.errors import InputRefused
from service.model_files import find_model
from tests.audits import Ingredients
from tests.pretrained import make_vit, save_pretrained
from tests.servers import free_port
from worker.fetching import mlflow
from worker.fetching.places import Places


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
        "--backend-store-uri",
        f"sqlite:///{folder}/m.sqlite",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(tether.command(command), env=environment, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 90
    while not _is_up(url):
        assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.2)
    yield url
    process.terminate()
    process.wait()


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def run(server: str, ingredients: Ingredients, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run with a file and a folder of a model, and versions of a registered model made of them."""
    folder = save_pretrained(make_vit(), tmp_path_factory.mktemp("vit"))
    with httpx.Client(base_url=f"{server}/api/2.0") as api:
        return _log(api, folder, ingredients.models[0])


def _log(api: httpx.Client, folder: Path, model: Path) -> str:
    run: dict[str, Any] = _post(api, "runs/create", experiment_id="0")["run"]
    root = run["info"]["artifact_uri"].partition(":/")[2].lstrip("/")
    for path in (*folder.iterdir(), model):
        inner = f"vit/{path.name}" if path.parent == folder else "m.pt"
        api.put(f"mlflow-artifacts/artifacts/{root}/{inner}", content=path.read_bytes()).raise_for_status()
    _post(api, "registered-models/create", name="faces")
    for name in ("m.pt", "vit"):
        source = f"{run['info']['artifact_uri']}/{name}"
        _post(api, "model-versions/create", name="faces", source=source, run_id=run["info"]["run_id"])
    _post(api, "registered-models/alias", name="faces", alias="champion", version="1")
    found: str = run["info"]["run_id"]
    return found


def _post(api: httpx.Client, call: str, **body: Any) -> dict[str, Any]:
    answer = api.post(f"mlflow/{call}", json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(autouse=True)
def tracking(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)


def test_a_registered_version_is_fetched_file_or_folder(run: str, places: Places, ingredients: Ingredients) -> None:
    assert places.model("models:/faces/1").read_bytes() == ingredients.models[0].read_bytes()
    folder = places.model("models:/faces/2")
    assert find_model(folder).format == "transformers"
    assert places.model(f"runs:/{run}/m.pt").read_bytes() == ingredients.models[0].read_bytes()


def test_an_alias_is_pinned_to_the_version_it_stands_for(run: str, places: Places) -> None:
    assert places.pin("models:/faces@champion") == "models:/faces/1"


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("models:/faces/99", "not found"),
        ("models:/faces@nobody", "not found"),
        ("models:/faces/latest", "name/version"),
        ("runs:/0123456789abcdef0123456789abcdef/m", "not found"),
    ],
)
def test_what_mlflow_does_not_know_is_refused_in_its_words(run: str, places: Places, uri: str, told: str) -> None:
    with pytest.raises(InputRefused, match=told):
        places.model(places.pin(uri))


def test_without_a_tracking_server_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(InputRefused, match="MLFLOW_TRACKING_URI"):
        mlflow.artifact_uri("models:/faces/1")


def test_a_model_that_mlflow_logged_itself_is_understood(server: str, places: Places, tmp_path: Path) -> None:
    """As `mlflow.pytorch.log_model` saves it: an exported program in a model folder."""
    code = f"""
import mlflow, numpy as np, torch, warnings
from tests.models import TinyNet
mlflow.set_tracking_uri({server!r})
with mlflow.start_run() as run:
    example = np.zeros((2, 3, 16, 16), dtype=np.float32)
    mlflow.pytorch.log_model(TinyNet(0), name="tiny", input_example=example, registered_model_name="tiny")
    print("RUN", run.info.run_id)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    run = found.stdout.partition("RUN ")[2].split()[0]
    for uri in ("models:/tiny/1", f"runs:/{run}/tiny"):
        assert find_model(places.model(uri)).format == "exported"
