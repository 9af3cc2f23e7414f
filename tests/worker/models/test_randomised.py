import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from service.errors import ModelRefused
from service.spec.cohort import Model, Preprocessing
from tests.support.exported_models import export
from tests.support.models import TinyNet, save_archive
from tests.support.onnx_models import save as save_onnx
from worker.models import architectures
from worker.models.load import load_classifier
from worker.models.randomised import Randomisation, draw_layers, load_randomised

SIDE = 24
MODEL = Model(preprocessing=Preprocessing(size=(SIDE, SIDE)))


def how(*shares: float, seed: int = 0, digest: str = "a" * 64) -> Randomisation:
    return Randomisation(shares, seed, digest)


def drawn(net: nn.Module, share: float, request: Randomisation) -> Any:
    changed = copy.deepcopy(net)
    draw_layers(share, request, changed)
    return changed


def changed_layers(before: nn.Module, after: nn.Module) -> list[str]:
    pairs = zip(before.named_parameters(), after.parameters(), strict=True)
    return sorted({name.rpartition(".")[0] for (name, a), b in pairs if not torch.equal(a, b)})


@pytest.mark.parametrize(
    ("share", "layers"),
    [(0.01, ["head"]), (0.5, ["features.3", "head"]), (1.0, ["features.0", "features.1", "features.3", "head"])],
)
def test_layers_are_randomised_from_the_top(share: float, layers: list[str]) -> None:
    net: Any = TinyNet()
    with torch.no_grad():
        for parameter in net.features[1].parameters():
            parameter.fill_(3)  # a value that no parameter of a batch norm has before training
    assert changed_layers(net, drawn(net, share, how())) == layers


def test_random_weights_have_the_distribution_of_untrained_ones() -> None:
    net: Any = nn.Sequential(nn.Conv2d(64, 256, 3), nn.BatchNorm2d(256))
    net[1].running_mean.fill_(2)
    net[1].running_var.fill_(9)
    after = drawn(net, 1.0, how())
    assert after[0].weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.01)
    assert after[0].weight.mean().item() == pytest.approx(0, abs=1e-3)
    assert not after[0].bias.any()
    fresh = nn.BatchNorm2d(256).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in after[1].state_dict().items())


def test_random_weights_depend_on_the_seed_and_the_file_but_not_on_the_share() -> None:
    net = TinyNet()
    first = drawn(net, 0.5, how()).head.weight
    assert torch.equal(drawn(net, 1.0, how()).head.weight, first)
    assert not torch.equal(drawn(net, 0.5, how(seed=1)).head.weight, first)
    assert not torch.equal(drawn(net, 0.5, how(digest="b" * 64)).head.weight, first)


def test_all_formats_get_the_same_random_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    eager = architectures.build("torchvision/mobilenet_v2", 2).eval()
    torch.save(eager.state_dict(), tmp_path / "m.pth")
    checkpoint = Model(architecture="torchvision/mobilenet_v2", preprocessing=Preprocessing(size=(64, 64)))
    archive = Model(preprocessing=Preprocessing(size=(64, 64)))
    paths = [
        (tmp_path / "m.pth", checkpoint),
        (save_archive(eager, tmp_path / "m.pt", 64), archive),
        (export(eager, tmp_path / "m.pt2", side=64), archive),
    ]
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    found = []
    for path, model in paths:
        (again,) = load_randomised(path, model, load_classifier(path, model, 2), how(0.3)).values()
        found.append(again.explain(image))
    for other in found[1:]:
        assert torch.allclose(found[0].features, other.features, atol=1e-5)
        assert torch.allclose(found[0].gradients, other.gradients, atol=1e-6)


def test_a_randomised_model_has_the_same_layer_and_takes_one_image_at_a_time(tmp_path: Path) -> None:
    path = save_archive(TinyNet(), tmp_path / "m.pt", SIDE)
    intact = load_classifier(path, MODEL, 3)
    for each in load_randomised(path, MODEL, intact, how(0.1, 1.0)).values():
        assert each.layer is not None
        assert intact.layer is not None
        assert (each.layer.name, each.layer.shape[1:], each.chunk) == (intact.layer.name, intact.layer.shape[1:], 1)


def test_weights_frozen_into_an_archive_are_refused_with_the_remedy(tmp_path: Path) -> None:
    script = torch.jit.trace(TinyNet(), torch.zeros(1, 3, SIDE, SIDE))
    torch.jit.freeze(script).save(str(tmp_path / "m.pt"))
    intact = load_classifier(tmp_path / "m.pt", MODEL, 1)
    with pytest.raises(ModelRefused, match="save it before"):
        load_randomised(tmp_path / "m.pt", MODEL, intact, how(1.0))


def test_an_onnx_model_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path, model = save_onnx(tmp_path / "m.onnx"), Model(preprocessing=Preprocessing(size=(16, 16)))
    with pytest.raises(ModelRefused, match="another format"):
        load_randomised(path, model, load_classifier(path, model, 1), how(1.0))
