import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from service.errors import ModelRefused
from service.spec.cohort import Model, Preprocessing
from tests.support.models import TinyNet, save_archive
from tests.support.pretrained import SIDE, make_vit, save_pretrained
from worker.models.sandbox import ModelSandbox, SandboxLimits

SMALL = Model(preprocessing=Preprocessing(size=(16, 16)))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ModelSandbox]:
    made = ModelSandbox(SandboxLimits(memory=2**30, seconds=60))
    yield made
    made.close()


def test_the_sandbox_describes_a_model(sandbox: ModelSandbox, tmp_path: Path) -> None:
    found = sandbox.check_loads(save_archive(TinyNet(0), tmp_path / "m.pt", 16), SMALL, 2)
    assert (found["format"], found["classes"], found["layer"]) == ("torchscript", 2, "features")
    assert found["layers"]["features.0"] == [6, 8, 8]
    assert "cam" in found["methods"]


def test_the_sandbox_reads_size_class_names_and_architecture_from_a_transformers_folder(
    sandbox: ModelSandbox, tmp_path: Path
) -> None:
    folder = save_pretrained(make_vit(), tmp_path, image_mean=[0.5] * 3, image_std=[0.25] * 3)
    found = sandbox.check_loads(folder, Model(), 2)
    assert (found["format"], found["architecture"]) == ("transformers", "ViTForImageClassification")
    assert found["names"] == ["cat", "dog", "owl"]
    assert (found["preprocessing"]["size"], found["preprocessing"]["std"]) == ([SIDE, SIDE], [0.25] * 3)
    assert found["layer"] == "vit.layers.1.layernorm_before"


def test_a_checkpoint_without_an_architecture_is_described_by_its_weights(
    sandbox: ModelSandbox, tmp_path: Path
) -> None:
    torch.save({"state_dict": TinyNet(0).state_dict()}, tmp_path / "m.pth")
    found = sandbox.check_loads(tmp_path / "m.pth", SMALL, 2)
    assert found["shapes"]["features.0.weight"] == [6, 3, 3, 3]
    assert "model.architecture" in found["needs"]


def test_the_sandbox_returns_the_reason_of_a_refusal(sandbox: ModelSandbox, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no feature layer 'nowhere'"):
        path = save_archive(TinyNet(0), tmp_path / "m.pt", 16)
        sandbox.check_loads(path, SMALL.model_copy(update={"layer": "nowhere"}), 2)


def test_a_model_beyond_the_memory_limit_is_refused(sandbox: ModelSandbox, tmp_path: Path) -> None:
    """A configuration file of a few bytes can declare a model of gigabytes."""
    folder = save_pretrained(make_vit(), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_size": 65536, "intermediate_size": 262144}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelRefused):
        sandbox.check_loads(folder, Model(), 2)
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "small.safetensors")
    with pytest.raises(ModelRefused, match="memory"):
        huge = Model(architecture="torchvision/vgg11", num_classes=100_000)
        sandbox.check_loads(tmp_path / "small.safetensors", huge, 2)


class Endless(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = images.mean((2, 3))
        while bool((found < 1e30).any()):
            found = found * 1.0
        return found


def test_loading_that_hangs_is_stopped_and_the_next_model_is_loaded(tmp_path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script: Any = torch.jit.script
        script(Endless()).save(str(tmp_path / "endless.pt"))
    sandbox = ModelSandbox(SandboxLimits(seconds=8))
    try:
        with pytest.raises(ModelRefused, match="more than 8 s"):
            sandbox.check_loads(tmp_path / "endless.pt", SMALL, 2)
    finally:
        sandbox.close()


def test_a_pickle_bomb_is_refused_before_it_expands(sandbox: ModelSandbox, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    (tmp_path / "m.pth").write_bytes(pickle.dumps({"state_dict": Bomb()}, protocol=2))
    with pytest.raises(ModelRefused, match="contains pickled code"):
        sandbox.check_loads(tmp_path / "m.pth", SMALL, 2)
    # Nine levels of nested lists; each level multiplies the size by ten.
    bomb: list[Any] = []
    for _ in range(9):
        bomb = [bomb] * 10
    (tmp_path / "m.pth").write_bytes(pickle.dumps(bomb, protocol=2))
    with pytest.raises(ModelRefused):
        sandbox.check_loads(tmp_path / "m.pth", SMALL, 2)
    assert not (tmp_path / "sprung").exists()


SECRETS = {
    "SALIENCE_DATABASE_URL": "postgresql://u:hunter2SECRET@h/d", "SALIENCE_SECRET_KEYS": "hunter2SECRET",
    "SALIENCE_MLFLOW_SECRET_FILE": "/run/secrets/hunter2SECRET", "DATABASE_URL": "postgresql://u:hunter2SECRET@h/d",
    "PGPASSWORD": "hunter2SECRET", "AWS_ACCESS_KEY_ID": "hunter2SECRET", "AWS_SECRET_ACCESS_KEY": "hunter2SECRET",
    "GOOGLE_APPLICATION_CREDENTIALS": "/hunter2SECRET.json", "MLFLOW_TRACKING_URI": "http://u:hunter2SECRET@h",
    "MLFLOW_TRACKING_PASSWORD": "hunter2SECRET", "HF_TOKEN": "hunter2SECRET", "AZURE_CLIENT_SECRET": "hunter2SECRET",
    "OTEL_EXPORTER_OTLP_HEADERS": "key=hunter2SECRET", "https_proxy": "http://u:hunter2SECRET@h",
    "CELERY_BROKER_URL": "redis://:hunter2SECRET@h", "A_VARIABLE_OF_TOMORROW": "hunter2SECRET",
}  # fmt: skip
REPORTING = """
import json, os, sys

def report(event, arguments):
    if event == "open" and str(arguments[0]).endswith("/m.pt"):
        with open({place!r}, "w") as file:
            json.dump(dict(os.environ), file)

sys.addaudithook(report)
"""


def test_the_sandbox_inherits_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process reports its own environment when it opens the model."""
    (tmp_path / "sitecustomize.py").write_text(REPORTING.format(place=str(tmp_path / "environment")))
    for name, value in {**SECRETS, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    sandbox = ModelSandbox(SandboxLimits(seconds=60))
    try:
        assert sandbox.check_loads(save_archive(TinyNet(0), tmp_path / "m.pt", 16), SMALL, 2)["classes"] == 2
    finally:
        sandbox.close()
    environment = json.loads((tmp_path / "environment").read_text())
    assert "hunter2SECRET" not in str(environment)
    assert not environment.keys() & SECRETS.keys()
    assert (environment["OMP_NUM_THREADS"], environment["LANG"]) == ("1", "C.UTF-8")
    assert environment["PATH"] == os.environ["PATH"]
