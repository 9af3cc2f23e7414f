"""Starts a real MLflow server, and calls its REST API."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from service.queue import parent_death
from tests.support.servers import free_port

START_SECONDS = 90
SECRET = "the secret of MLflow's webhook"


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Run an MLflow server that may send webhooks to loopback addresses. Yields the server's URL."""
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/m.sqlite", "--artifacts-destination", str(folder / "files"),
    ]  # fmt: skip
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_CACHE_TTL": "1",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(parent_death.command(command), env=environment, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + START_SECONDS
    try:
        while not _is_up(url):
            assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class MlflowApi:
    """The REST API of an MLflow server, for actions that a user of MLflow takes."""

    api: httpx.Client

    def post(self, call: str, **body: Any) -> dict[str, Any]:
        """Send a request to MLflow and check that it succeeds. Returns the body of the response."""
        answer = self.api.post(f"mlflow/{call}", json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def log(self, *files: tuple[str, Path]) -> tuple[str, str]:
        """Create an MLflow run and log files under these names. Returns the run's ID and its artifact URI."""
        run = self.post("runs/create", experiment_id="0")["run"]["info"]
        root = run["artifact_uri"].partition(":/")[2].lstrip("/")
        for name, path in files:
            content = path.read_bytes()
            self.api.put(f"mlflow-artifacts/artifacts/{root}/{name}", content=content).raise_for_status()
        return run["run_id"], run["artifact_uri"]

    def register(self, name: str, model: Path, tags: Mapping[str, str] | None = None) -> str:
        """Register a model file as the next version of a registered model. Returns the version number."""
        if not self.api.get("mlflow/registered-models/get", params={"name": name}).is_success:
            self.post("registered-models/create", name=name)
        run, where = self.log(("m.pt", model))
        given = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        made = self.post("model-versions/create", name=name, source=f"{where}/m.pt", run_id=run, tags=given)
        version: str = made["model_version"]["version"]
        return version

    def tags(self, name: str, version: str) -> dict[str, str]:
        """Return the tags of a model version."""
        found = self.api.get("mlflow/model-versions/get", params={"name": name, "version": version}).json()
        return {each["key"]: each["value"] for each in found["model_version"].get("tags", [])}

    def aliases(self, name: str) -> dict[str, str]:
        """Return the version number of each alias of a registered model."""
        found = self.api.get("mlflow/registered-models/get", params={"name": name}).json()
        return {each["alias"]: each["version"] for each in found["registered_model"].get("aliases", [])}
