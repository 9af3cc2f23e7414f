import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchcam.methods._utils import locate_candidate_layer

from service.errors import ModelRefused
from tests.support.models import TinyNet
from worker.models import architectures, graph, layers

# Inception's head needs more than 64 pixels.
ZOO = {
    "resnet18": 64,
    "densenet121": 64,
    "vgg11_bn": 64,
    "mobilenet_v3_small": 64,
    "efficientnet_b0": 64,
    "squeezenet1_1": 64,
    "shufflenet_v2_x0_5": 64,
    "convnext_tiny": 64,
    "googlenet": 64,
    "inception_v3": 139,
}


def default_layer(frozen: torch.jit.ScriptModule, images: torch.Tensor) -> layers.Layer:
    found = layers.choose(Path("m.pt"), frozen, layers.feature_layers(frozen, images), None)
    assert found is not None
    return found


def traced(model: nn.Module, side: int) -> torch.jit.ScriptModule:
    trace: Any = torch.jit.trace
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing fixes shapes and branches, which is intended
        script: torch.jit.ScriptModule = trace(model.eval(), torch.zeros(2, 3, side, side), check_trace=False)
    return script


@pytest.mark.parametrize("name", ZOO)
def test_the_default_layer_agrees_with_torch_cam(name: str) -> None:
    side = ZOO[name]
    model = architectures.build(f"torchvision/{name}", 3).eval()
    frozen = graph.freeze(traced(model, side))
    layer = default_layer(frozen, torch.zeros(2, 3, side, side))
    assert layer.name == locate_candidate_layer(model, (3, side, side))


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v3_small", "efficientnet_b0"])
def test_a_tapped_graph_returns_the_outputs_of_the_model_and_of_the_layer(name: str) -> None:
    model = architectures.build(f"torchvision/{name}", 3).eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    frozen = graph.freeze(traced(model, 64))
    layer = default_layer(frozen, images)
    outputs, features = graph.tap(frozen, layer.name)(images)
    outputs_seen: list[Tensor] = []
    # The hook stores a copy, since later operations may change the output in place.
    model.get_submodule(layer.name).register_forward_hook(lambda _m, _i, out: outputs_seen.append(out.clone()))
    with torch.no_grad():
        expected = model(images)
    assert torch.allclose(outputs, expected, atol=1e-5)
    assert torch.allclose(features, outputs_seen[0], atol=1e-4)
    assert features.requires_grad
    assert features.is_leaf


def test_an_in_place_activation_after_the_layer_does_not_change_the_layers_map() -> None:
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    model = nn.Sequential(body, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    frozen = graph.freeze(traced(model, 8))
    _, features = graph.tap(frozen, "0")(torch.randn(2, 3, 8, 8))
    assert (features < 0).any()


def test_tapping_a_scripted_model_gives_the_same_values_as_tapping_a_traced_model() -> None:
    model, images = TinyNet(1), torch.rand(2, 3, 16, 16)
    script: Any = torch.jit.script
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates scripting, but users' archives come from it
        scripted = script(model)
    found = []
    for module in (scripted, traced(TinyNet(1), 16)):
        frozen = graph.freeze(module)
        layer = default_layer(frozen, images)
        found.append((layer.name, *graph.tap(frozen, layer.name)(images)))
    assert found[0][0] == found[1][0] == "features"
    assert torch.allclose(found[0][1], found[1][1], atol=1e-6)
    assert torch.allclose(found[0][2], found[1][2], atol=1e-6)


def test_a_named_layer_is_chosen_and_an_unknown_one_is_refused_with_candidates() -> None:
    frozen = graph.freeze(traced(TinyNet(0), 16))
    found = layers.feature_layers(frozen, torch.zeros(2, 3, 16, 16))
    chosen = layers.choose(Path("m.pt"), frozen, found, "features.0")
    assert chosen == layers.Layer("features.0", "features.0", (2, 6, 8, 8))
    with pytest.raises(ModelRefused, match=r"features \[8, 4, 4\]"):
        layers.choose(Path("m.pt"), frozen, found, "nowhere")


def test_a_model_without_feature_maps_has_no_layer() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    frozen = graph.freeze(traced(flat, 8))
    assert layers.choose(Path("m.pt"), frozen, layers.feature_layers(frozen, torch.zeros(2, 3, 8, 8)), None) is None
