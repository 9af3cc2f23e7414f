"""Tests of DiffGradCAM: Grad-CAM of the difference between the target's logit and the largest other logit."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from service.spec.cohort import Model, Outputs, Preprocessing
from service.spec.model import JobSpec
from tests.support.models import TinyNet, explain_number, logit_difference, save_archive
from worker.audit.explanation import ChooseTargets, explain
from worker.measures.explanation import Explanation
from worker.models import architectures
from worker.models.classifier import Classifier, predicted
from worker.models.load import load_classifier
from worker.models.precision import normalise
from worker.salience.maps import normalise_maps

SIDE = 16


def images(side: int = SIDE) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def explain_by(method: str, loaded: Classifier, side: int = SIDE, choose: ChooseTargets = predicted) -> Explanation:
    spec = JobSpec.model_validate({
        "cohorts": [{"name": "c", "runs": [{"uri": "file:///m.pt"}]}],
        "images": {"uri": "file:///images"},
        "measures": ["entropy"],
        "salience": {"method": method},
    })  # fmt: skip
    return explain(loaded, list(images(side)), choose, spec)


def small(**changes: object) -> Model:
    return Model(preprocessing=Preprocessing(size=(SIDE, SIDE)), **changes)


@pytest.mark.parametrize(
    ("name", "closed"), [("resnet18", True), ("densenet121", True), ("vgg11", False), ("mobilenet_v3_small", False)]
)
def test_diffgradcam_agrees_with_hooks_and_autograd_with_and_without_a_closed_form(
    tmp_path: Path, name: str, closed: bool
) -> None:
    torch.manual_seed(1)
    eager = architectures.build(f"torchvision/{name}", 4).eval()
    torch.save(eager.state_dict(), tmp_path / "m.pth")
    model = Model(architecture=f"torchvision/{name}", preprocessing=Preprocessing(size=(64, 64)))
    loaded = load_classifier(tmp_path / "m.pth", model, 2)
    assert (loaded.head.tail is not None) is closed
    found = explain_by("diffgradcam", loaded, 64)
    assert loaded.layer
    for n, image in enumerate(images(64)):
        layer, inputs = eager.get_submodule(loaded.layer.name), normalise(image[None], model.preprocessing)
        _, raw = explain_number(eager, layer, inputs, logit_difference(), relu_follows=name == "densenet121")
        assert torch.allclose(found.native[n], normalise_maps(raw[None])[0][0], atol=1e-4)


@pytest.mark.parametrize("target", [0, 2])
def test_diffgradcam_subtracts_the_strongest_class_other_than_the_target(tmp_path: Path, target: int) -> None:
    net = TinyNet(5, width=4)
    loaded = load_classifier(save_archive(net, tmp_path / "m.pt", SIDE), small(), 2)
    found = explain_by("diffgradcam", loaded, choose=lambda logits: torch.full((len(logits),), target))
    for n, image in enumerate(images()):
        inputs = normalise(image[None], small().preprocessing)
        _, raw = explain_number(net, net.features, inputs, logit_difference(target), relu_follows=True)
        assert torch.allclose(found.native[n], normalise_maps(raw[None])[0][0], atol=1e-4)


@pytest.mark.parametrize("single", ["class-0", "class-1"])
def test_diffgradcam_of_a_model_with_a_single_logit_equals_gradcam(tmp_path: Path, single: str) -> None:
    model = small(outputs=Outputs.model_validate({"single": single}))
    loaded = load_classifier(save_archive(TinyNet(3, width=1), tmp_path / "m.pt", SIDE), model, 2)
    plain, difference = (explain_by(method, loaded) for method in ("gradcam", "diffgradcam"))
    assert not plain.degenerate.any()
    assert torch.allclose(plain.native, difference.native, atol=1e-5)


def test_a_channel_that_raises_all_logits_equally_shows_in_gradcam_but_not_in_diffgradcam(tmp_path: Path) -> None:
    net, honest = TinyNet(7), TinyNet(7)
    assert isinstance(net.head, nn.Linear)
    with torch.no_grad():
        net.head.weight[:, 0] += 50
    maps = {}
    for name, each in (("honest", honest), ("shared", net)):
        loaded = load_classifier(save_archive(each, tmp_path / f"{name}.pt", SIDE), small(), 2)
        for method in ("gradcam", "diffgradcam"):
            maps[name, method] = explain_by(method, loaded).native
    assert torch.allclose(maps["honest", "diffgradcam"], maps["shared", "diffgradcam"], atol=1e-4)
    assert (maps["honest", "gradcam"] - maps["shared", "gradcam"]).abs().amax() > 0.1
