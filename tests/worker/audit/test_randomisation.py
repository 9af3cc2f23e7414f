"""Compares the measure `randomisation` with a slow twin, and checks it on models whose result is known."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from examples.experiment.canvas import SIDE
from examples.experiment.dataset import make_dataset
from examples.experiment.training import RECIPES, train
from examples.experiment.worlds import TRAINING
from service.spec.model import JobSpec
from tests.support.audits import audit, failure, results
from tests.support.jobs import SIZE, AuditInputs
from tests.support.models import TinyNet, save_archive
from tests.support.slow_twin import DIGESTS, Twin
from worker.audit.audit import Audit
from worker.audit.batch import ImageBatch
from worker.models.load import load_classifier
from worker.models.randomised import Randomisation, load_randomised
from worker.probes.random_fields import generator_for
from worker.runner import Runner

FILE = "f" * 64
# TinyNet's layers from the top, with the standard deviation of their random weights; None for batch norm.
LAYERS = (
    ("head", (2 / 8) ** 0.5),
    ("features.3", (2 / 54) ** 0.5),
    ("features.1", None),
    ("features.0", (2 / 27) ** 0.5),
)


@pytest.fixture(scope="module")
def faces() -> ImageBatch:
    data = make_dataset(4, 1, TRAINING)
    return ImageBatch(data.images / 255, [f"{n}" * 64 for n in range(4)], data.labels)


def spec(method: str = "gradcam", size: int = SIZE, **options: Any) -> JobSpec:
    return JobSpec.model_validate(
        {
            "cohorts": [
                {"name": "c", "model": {"preprocessing": {"size": [size, size]}}, "runs": [{"uri": "file:///1"}]}
            ],
            "images": {"uri": "file:///i"},
            "salience": {"method": method},
            "measures": ["randomisation"],
            "options": {"randomisation": options},
        }
    )


def scores(
    net: nn.Module, batch: ImageBatch, path: Path, request: JobSpec, on_pass: Any = lambda _: None
) -> dict[str, Any]:
    model, how = request.cohorts[0].model, Randomisation(request.randomised_shares(), request.seed, FILE)
    intact = load_classifier(save_archive(net, path / "m.pt", model.preprocessing.size[0]), model, 1)
    randomised = load_randomised(path / "m.pt", model, intact, how)
    return Audit(request, 0, [intact], on_pass, [randomised]).score(batch).runs[0]


def drawn_slowly(net: TinyNet, layers: int) -> TinyNet:
    changed = copy.deepcopy(net)
    for name, spread in LAYERS[:layers]:
        layer: Any = changed.get_submodule(name)
        if spread is None:
            layer.reset_running_stats()
            weight = torch.ones_like(layer.weight)
        else:
            numbers = generator_for("randomisation", 0, f"{FILE}:{name}.weight")
            weight = torch.from_numpy(
                numbers.standard_normal(tuple(layer.weight.shape), np.float32) * np.float32(spread)
            )
        layer.weight.data, layer.bias.data = weight, torch.zeros_like(layer.bias)
    return changed


def test_every_number_agrees_with_the_slow_twin(tmp_path: Path, batch: ImageBatch) -> None:
    net = TinyNet(10)
    found = scores(net, batch, tmp_path, spec(shares=[0.25, 0.5, 1.0]))
    twin = Twin(net)
    for n, image in enumerate(batch.images.numpy()):
        _, clean, said = twin.see(image)
        parts = {}
        for share, layers in ((0.25, 1), (0.5, 2), (1.0, 4)):
            changed = Twin(drawn_slowly(net, layers)).see(image, int(said.argmax()))[1]
            parts[share] = twin.similarity(clean, changed)
            for kind, value in parts[share].items():
                assert found[f"randomisation.{share}.{kind}"][n].item() == pytest.approx(value, abs=1e-4)
        assert found["randomisation"][n].item() == pytest.approx(np.mean([p["ssim"] for p in parts.values()]), abs=1e-4)


def test_randomising_the_head_changes_maps_of_gradcam_but_not_of_eigencam(tmp_path: Path, batch: ImageBatch) -> None:
    ignoring, using = (
        scores(TinyNet(10), batch, tmp_path, spec(method, shares=[0.1, 1.0])) for method in ("eigencam", "gradcam")
    )
    assert ignoring["randomisation.0.1.ssim"].tolist() == pytest.approx([1.0] * 3, abs=1e-6)
    assert max(using["randomisation.0.1.ssim"].tolist()) < 0.9


def test_the_maps_of_a_trained_model_change_at_every_share_of_randomised_layers(
    tmp_path: Path, faces: ImageBatch
) -> None:
    trained, _ = train(make_dataset(96, 0, TRAINING), RECIPES["human-guided"], seed=0, epochs=3)
    found = scores(trained, faces, tmp_path, spec(size=SIDE))
    for share in (0.1, 0.5, 1.0):
        assert found[f"randomisation.{share}.ssim"].mean().item() < 0.9


class EdgeDetector(nn.Module):
    """A model whose features are fixed edge filters, so that they do not depend on training."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).expand(4, 3, 3, 3).clone())
        self.edges, self.head = Edges(self.kernel), nn.Linear(4, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.edges(images).mean((2, 3)))
        return logits


class Edges(nn.Module):
    def __init__(self, kernel: Any) -> None:
        super().__init__()
        self.register_buffer("kernel", kernel)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(images, self.kernel, stride=2, padding=1).abs()  # type: ignore[arg-type]


def test_the_maps_of_an_edge_detector_stay_the_same_at_every_share_of_randomised_layers(
    tmp_path: Path, batch: ImageBatch
) -> None:
    found = scores(EdgeDetector().eval(), batch, tmp_path, spec("eigencam"))
    assert found["randomisation"].tolist() == pytest.approx([1.0] * 3, abs=1e-6)


def test_an_audit_counts_every_pass_of_randomised_models(tmp_path: Path, batch: ImageBatch) -> None:
    counted: list[int] = []
    request = spec(shares=[0.5, 1.0])
    scores(TinyNet(), batch, tmp_path, request, counted.append)
    assert sum(counted) == len(DIGESTS) * request.passes() == 3 * 3


def test_randomisation_is_off_by_default_and_has_one_part_per_share(runner: Runner, ingredients: AuditInputs) -> None:
    assert "randomisation" not in ingredients.spec().measures
    request = ingredients.spec(measures=["randomisation", "stability"], shard_size=6, reuse=False)
    job = audit(runner, request)
    cohort = results(runner.store, job)["cohorts"]["plain"]
    assert set(cohort["measures"]["randomisation"]["parts"]) == {"0.1", "0.5", "1.0"}
    assert cohort["measures"]["randomisation"]["n"] == 24
    assert job.passes_done == job.passes_total == 12 * 2 * 4
    again = results(runner.store, audit(runner, request.model_copy(update={"shard_size": 100})))["cohorts"]["plain"]
    assert again == cohort


def test_the_error_of_a_job_with_a_frozen_model_names_the_field_of_the_models_uri(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    script = torch.jit.trace(TinyNet(), torch.zeros(1, 3, SIZE, SIZE))
    torch.jit.freeze(script).save(str(tmp_path / "frozen.pt"))
    cohort = ingredients.cohort("plain", 0)
    cohort["runs"][0]["uri"] = (tmp_path / "frozen.pt").as_uri()
    error = failure(audit(runner, ingredients.spec(cohorts=[cohort], measures=["randomisation"])))
    assert error["field"] == "cohorts[0].runs[0].uri"
    assert "before torch.jit.freeze" in error["detail"]
