"""Tests that a model whose maps of the same image differ is refused, unless the spec allows such a model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import dropout, dropout2d

from tests.support.audits import audit, failure, results
from tests.support.jobs import SIZE, AuditInputs
from tests.support.models import TinyNet, save_archive
from worker.models import architectures
from worker.runner import Runner

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class RandomMaps(TinyNet):
    """A network with dropout of feature maps that stays active, because the model is traced in training mode."""

    def forward(self, images: Tensor) -> Tensor:
        pooled: Tensor = self.head(dropout2d(self.features(images), 0.5, training=True).relu().mean((2, 3)))
        return pooled


class RandomHead(TinyNet):
    """A network with active dropout after the pooling, which changes probabilities but hardly changes maps."""

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(dropout(self.features(images).relu().mean((2, 3)), 0.5, training=True))
        return logits


def cohort(ingredients: AuditInputs, net: TinyNet, path: Path, **model: Any) -> dict[str, Any]:
    """Return a cohort of a deterministic model and the given model, as JSON."""
    found = ingredients.cohort("c", 0, 1, **model)
    found["runs"][1]["uri"] = save_archive(net, path, SIZE).as_uri()
    return found


@pytest.mark.parametrize("net", [RandomMaps(), RandomHead()], ids=["maps", "head"])
def test_a_model_with_active_dropout_is_refused_with_instructions_for_its_export(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path, net: TinyNet
) -> None:
    found = cohort(ingredients, net, tmp_path / "random.pt")
    error = failure(audit(runner, ingredients.spec(cohorts=[found], measures=["entropy"])))
    assert (error["type"], error["field"]) == ("model-refused", "cohorts[0].model.allow_nondeterministic")
    assert "random.pt gives different maps or probabilities for the same image" in error["detail"]
    assert "model.eval()" in error["detail"]


def test_a_random_model_that_the_spec_allows_is_audited_with_a_warning(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    allowed = cohort(ingredients, RandomMaps(), tmp_path / "random.pt", allow_nondeterministic=True)
    images = {"uri": ingredients.images.as_uri(), "limit": 2}
    document = results(
        runner.store, audit(runner, ingredients.spec(cohorts=[allowed], measures=["entropy"], images=images))
    )
    alike, random = (run["self_similarity"] for run in document["cohorts"]["c"]["runs"])
    assert alike == pytest.approx(1, abs=1e-6)
    assert -1 <= random < 0.999
    (warning,) = document["warnings"]
    uri = allowed["runs"][1]["uri"]
    assert warning.startswith(f"{uri}: The model gives different maps or probabilities for the same image")
    assert f"{random:.3f}" in warning


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v2"])
def test_a_model_whose_output_depends_on_the_position_in_a_batch_is_not_random(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path, name: str
) -> None:
    torch.manual_seed(0)
    torch.save(architectures.build(f"torchvision/{name}", 2).state_dict(), tmp_path / "m.pth")
    model = {"architecture": f"torchvision/{name}", "preprocessing": {"size": [64, 64]}}
    spec = ingredients.spec(
        cohorts=[{"name": "c", "model": model, "runs": [{"uri": (tmp_path / "m.pth").as_uri()}]}],
        images={"uri": ingredients.images.as_uri(), "limit": 1},
        measures=["entropy"],
    )
    assert results(runner.store, audit(runner, spec))["warnings"] == []
