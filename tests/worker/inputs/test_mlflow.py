"""Tests with a real MLflow server."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from service.errors import InputRefused
from service.inputs.model_files import find_model
from tests.support.image_sets import as_tar, images_of, model_at
from tests.support.jobs import AuditInputs
from tests.support.mlflow_server import MlflowApi
from tests.support.pretrained import make_vit, save_pretrained
from worker.inputs import mlflow
from worker.inputs.decode import UnreadableImage
from worker.inputs.image_bytes import image_opener
from worker.inputs.resolver import InputResolver


@pytest.fixture(scope="module")
def run(mlflow_url: str, ingredients: AuditInputs, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Log a run with a model as a file and a model as a folder, and register both as versions of a model."""
    folder = save_pretrained(make_vit(), tmp_path_factory.mktemp("vit"))
    with httpx.Client(base_url=f"{mlflow_url}/api/2.0") as api:
        mlflow = MlflowApi(api)
        parts = [(f"vit/{path.name}", path) for path in folder.iterdir()]
        run, where = mlflow.log(*parts, ("m.pt", ingredients.models[0]))
        mlflow.post("registered-models/create", name="faces")
        for name in ("m.pt", "vit"):
            mlflow.post("model-versions/create", name="faces", source=f"{where}/{name}", run_id=run)
        mlflow.post("registered-models/alias", name="faces", alias="champion", version="1")
    return run


@pytest.fixture(autouse=True)
def tracking(mlflow_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)


def test_a_registered_version_is_fetched_as_a_file_or_a_folder(
    run: str, places: InputResolver, ingredients: AuditInputs
) -> None:
    assert model_at(places, "models:/faces/1").read_bytes() == ingredients.models[0].read_bytes()
    folder = model_at(places, "models:/faces/2")
    assert find_model(folder).format == "transformers"
    assert model_at(places, f"runs:/{run}/m.pt").read_bytes() == ingredients.models[0].read_bytes()


def test_logged_images_are_listed_and_read_from_a_folder_and_a_manifest(
    mlflow_url: str, places: InputResolver, ingredients: AuditInputs, tmp_path: Path
) -> None:
    images = images_of(ingredients.images)
    manifest = tmp_path / "m.csv"
    manifest.write_text("image,label\n" + "".join(f"{name},{label}\n" for name, label, _ in images))
    with httpx.Client(base_url=f"{mlflow_url}/api/2.0") as api:
        logged = [(f"faces/{name}", ingredients.images / name) for name, _, _ in images]
        shard = as_tar(ingredients.images, tmp_path)
        run, _ = MlflowApi(api).log(*logged, ("faces/m.csv", manifest), ("shards/set.tar", shard))
    read = image_opener(places)
    for where in ("faces", "faces/m.csv", "shards"):
        listed = [(each.label, read(each.path)) for each in places.list_images(f"runs:/{run}/{where}")]
        assert listed == [(label, content) for _, label, content in images]
    with pytest.raises(UnreadableImage, match="No such artifact"):
        read(f"runs:/{run}/faces/none.png")


def test_an_overwritten_artifact_of_equal_size_is_fetched_again_but_not_within_one_job(
    mlflow_url: str, places: InputResolver, tmp_path: Path
) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    first.write_bytes(b"\x80\x02first")
    second.write_bytes(b"\x80\x02later")
    with httpx.Client(base_url=f"{mlflow_url}/api/2.0") as api:
        run, where = MlflowApi(api).log(("m.pt", first))
        uri, job = f"runs:/{run}/m.pt", places.for_job("a job")
        found = model_at(job, uri)
        assert model_at(places, uri) == found
        root = where.partition(":/")[2].lstrip("/")
        api.put(f"mlflow-artifacts/artifacts/{root}/m.pt", content=second.read_bytes()).raise_for_status()
    assert model_at(places, uri).read_bytes() == second.read_bytes()
    assert model_at(job, uri) == found
    assert model_at(places.for_job("another"), uri).read_bytes() == second.read_bytes()


def test_a_download_of_a_changed_artifact_starts_again(mlflow_url: str, tmp_path: Path) -> None:
    first, target = tmp_path / "first", tmp_path / "m.pt"
    first.write_bytes(b"first")
    target.write_bytes(b"fir")
    with httpx.Client(base_url=f"{mlflow_url}/api/2.0") as api:
        _, where = MlflowApi(api).log(("m.pt", first))
        (file,) = mlflow.tagged(mlflow.list_files(f"{where}/m.pt"))
        root = where.partition(":/")[2].lstrip("/")
        api.put(f"mlflow-artifacts/artifacts/{root}/m.pt", content=b"later").raise_for_status()
    mlflow.download(file, target)
    assert target.read_bytes() == b"later"


def test_an_alias_is_resolved_to_its_current_version(run: str, places: InputResolver) -> None:
    assert places.resolve("models:/faces@champion") == "models:/faces/1"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/faces/99", "not found"),
        ("models:/faces@nobody", "not found"),
        ("models:/faces/latest", "name/version"),
        ("runs:/0123456789abcdef0123456789abcdef/m", "not found"),
    ],
)
def test_an_unknown_model_or_run_is_refused_with_mlflows_message(
    run: str, places: InputResolver, uri: str, message: str
) -> None:
    with pytest.raises(InputRefused, match=message):
        model_at(places, places.resolve(uri))


def test_a_missing_tracking_server_is_refused_with_the_name_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(InputRefused, match="MLFLOW_TRACKING_URI"):
        mlflow.artifact_uri("models:/faces/1")


def test_a_model_that_mlflow_logged_itself_is_loaded(mlflow_url: str, places: InputResolver) -> None:
    """`mlflow.pytorch.log_model` saves an exported program in a model folder."""
    code = f"""
import mlflow, numpy as np, torch, warnings
from tests.support.models import TinyNet
mlflow.set_tracking_uri({mlflow_url!r})
with mlflow.start_run() as run:
    example = np.zeros((2, 3, 16, 16), dtype=np.float32)
    mlflow.pytorch.log_model(TinyNet(0), name="tiny", input_example=example, registered_model_name="tiny")
    print("RUN", run.info.run_id)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    run = found.stdout.partition("RUN ")[2].split()[0]
    for uri in ("models:/tiny/1", f"runs:/{run}/tiny"):
        assert find_model(model_at(places, uri)).format == "exported"
