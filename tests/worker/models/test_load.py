from pathlib import Path

import pytest
import torch
from torch import nn

from service.errors import ModelRefused
from service.spec.cohort import Model, Outputs, Preprocessing
from tests.support.models import TinyNet, explain_slowly, save_archive
from worker.models import architectures
from worker.models.classifier import Classifier
from worker.models.load import load_classifier
from worker.models.precision import normalise
from worker.salience.cam import gradcam

SIDE = 16
SMALL = Model(preprocessing=Preprocessing(size=(SIDE, SIDE)))


def make_images(count: int = 2, side: int = SIDE) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def load(tmp_path: Path, net: nn.Module, model: Model = SMALL) -> Classifier:
    return load_classifier(save_archive(net, tmp_path / "m.pt", SIDE), model, 2)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "vgg11", "mobilenet_v3_small"])
def test_gradcam_of_a_checkpoint_agrees_with_autograd(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    eager = architectures.build(f"torchvision/{name}", 2).eval()
    torch.save({"state_dict": eager.state_dict()}, tmp_path / "m.pth")
    model = Model(architecture=f"torchvision/{name}", preprocessing=Preprocessing(size=(64, 64)))
    loaded = load_classifier(tmp_path / "m.pth", model, 2)
    explained = loaded.explain(make_images(2, 64))
    raw = gradcam(explained.features, explained.gradients)
    for n, image in enumerate(make_images(2, 64)):
        assert loaded.layer
        layer = eager.get_submodule(loaded.layer.name)
        inputs = normalise(image[None], model.preprocessing)
        logits, twin = explain_slowly(eager, layer, inputs, relu_follows=name == "densenet121")
        assert torch.allclose(explained.logits[n], logits, atol=1e-4)
        assert torch.allclose(raw[n], twin, atol=1e-4 * float(twin.max().clamp(min=1)))


@pytest.mark.parametrize("target", [0, 1])
def test_a_given_target_is_explained_instead_of_the_predicted_class(tmp_path: Path, target: int) -> None:
    net = TinyNet(2)
    explained = load(tmp_path, net).explain(make_images(), lambda logits: torch.full((len(logits),), target))
    inputs = normalise(make_images()[:1], SMALL.preprocessing)
    _, twin = explain_slowly(net, net.features, inputs, target, relu_follows=True)
    assert torch.allclose(gradcam(explained.features, explained.gradients)[0], twin, atol=1e-6)
    assert explained.targets.tolist() == [target, target]


@pytest.mark.parametrize(("single", "speaks_for"), [("class-1", 1), ("class-0", 0)])
def test_a_single_logit_becomes_two_classes(tmp_path: Path, single: str, speaks_for: int) -> None:
    net, model = TinyNet(3, width=1), SMALL.model_copy(update={"outputs": Outputs.model_validate({"single": single})})
    loaded = load(tmp_path, net, model)
    explained = loaded.explain(make_images())
    with torch.no_grad():
        z = net(normalise(make_images(), SMALL.preprocessing))[:, 0]
    assert torch.allclose(explained.logits[:, speaks_for], z, atol=1e-6)
    assert torch.allclose(explained.logits[:, 1 - speaks_for], -z, atol=1e-6)
    assert torch.allclose(loaded.head.probabilities(explained.logits)[:, speaks_for], z.sigmoid(), atol=1e-6)


def test_the_weights_of_a_linear_layer_with_a_single_logit_are_found(tmp_path: Path) -> None:
    for width, sign in ((2, 1), (1, -1)):
        net = TinyNet(4, width=width)
        weights = load(tmp_path, net).head.class_weights()
        assert weights is not None
        assert torch.equal(weights[0], sign * net.get_parameter("head.weight")[0].detach())


@pytest.mark.parametrize(
    ("changes", "twin"),
    [
        ({"channels": "bgr"}, lambda x: x.flip(1)),
        ({"scale": 255.0}, lambda x: x * 255),
        ({"channels": "gray", "mean": (0.5,), "std": (0.25,)}, None),
    ],
)
def test_images_are_normalised_as_in_training(changes: dict[str, object], twin: object) -> None:
    preprocessing = Preprocessing.model_validate({"size": (SIDE, SIDE), **changes})
    found = normalise(make_images(), preprocessing)
    mean, std = (torch.tensor(each)[:, None, None] for each in (preprocessing.mean, preprocessing.std))
    if callable(twin):
        expected = (twin(make_images()) - mean) / std
    else:
        grey = 0.299 * make_images()[:, 0] + 0.587 * make_images()[:, 1] + 0.114 * make_images()[:, 2]
        expected = (grey[:, None] - 0.5) / 0.25
    assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 5}, "num_classes is 5"),
        ({"layer": "nowhere"}, "no feature layer 'nowhere'"),
        ({"preprocessing": {"size": [8, 8], "channels": "gray", "mean": [0.5], "std": [0.5]}}, "does not run"),
    ],
)
def test_a_model_that_does_not_fit_its_spec_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    model = Model.model_validate({"preprocessing": {"size": [SIDE, SIDE]}, **changes})
    with pytest.raises(ModelRefused, match=message):
        load(tmp_path, TinyNet(0), model)


def test_a_model_that_gives_no_logits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="not one row of logits"):
        load(tmp_path, nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = save_archive(TinyNet(0), tmp_path / "m.pt", SIDE)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(500) + content[middle + 500 :])
    with pytest.raises(ModelRefused, match="damaged"):
        load_classifier(path, SMALL, 2)


@pytest.mark.parametrize(
    ("name", "closed"),
    [("resnet18", True), ("densenet121", True), ("shufflenet_v2_x0_5", True), ("vgg11", False),
     ("mobilenet_v3_small", False), ("squeezenet1_1", False)],
)  # fmt: skip
def test_gradients_have_a_closed_form_only_if_one_linear_layer_follows_the_pooling(
    tmp_path: Path, name: str, closed: bool
) -> None:
    torch.save(architectures.build(f"torchvision/{name}", 2).eval().state_dict(), tmp_path / "m.pth")
    model = Model(architecture=f"torchvision/{name}", preprocessing=Preprocessing(size=(64, 64)))
    assert (load_classifier(tmp_path / "m.pth", model, 2).head.tail is not None) is closed


def small_transformer() -> nn.Module:
    # The next import then works even if torchvision was built for another torch.
    architectures.build("torchvision/alexnet", 2)
    from torchvision.models import VisionTransformer

    torch.manual_seed(0)
    net: nn.Module = VisionTransformer(16, 4, 2, 2, 8, 16, num_classes=2)
    for weights in net.get_submodule("heads").parameters():
        torch.nn.init.normal_(weights)
    return net.eval()


def test_the_map_of_a_transformer_comes_from_the_input_tokens_of_the_last_attention(tmp_path: Path) -> None:
    net = small_transformer()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        loaded = load(tmp_path, net)
        explained = loaded.explain(make_images())
        assert loaded.layer
        assert (loaded.layer.name, loaded.layer.shape[1:]) == ("encoder.layers.encoder_layer_1.ln_1", (8, 4, 4))
        outputs_seen: list[torch.Tensor] = []
        layer = net.get_submodule(loaded.layer.name)
        layer.register_forward_hook(lambda _module, _inputs, out: outputs_seen.append(out))
        for n, image in enumerate(make_images()):
            outputs_seen.clear()
            logits = net(normalise(image[None], SMALL.preprocessing).requires_grad_())[0]
            (gradients,) = torch.autograd.grad(logits.max(), outputs_seen[0])
            for found, twin in ((explained.features[n], outputs_seen[0][0]), (explained.gradients[n], gradients[0])):
                assert torch.allclose(found, twin[1:].T.reshape(8, 4, 4), atol=1e-5)
        assert explained.gradients.abs().max() > 0
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_a_model_without_a_feature_map_is_a_black_box(tmp_path: Path) -> None:
    loaded = load(tmp_path, nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2)))
    assert (loaded.layer, loaded.tapped) == (None, None)
    assert loaded.logits(make_images()).shape == (2, 2)


@pytest.mark.parametrize(("precision", "least", "most"), [("bfloat16", 1e-4, 0.05), ("float16", 1e-5, 0.01)])
@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_half_precision_changes_feature_maps_only_a_little(
    tmp_path: Path, name: str, precision: str, least: float, most: float
) -> None:
    torch.manual_seed(1)
    torch.save(architectures.build(f"torchvision/{name}", 2).eval().state_dict(), tmp_path / "m.pth")
    model = Model(architecture=f"torchvision/{name}", preprocessing=Preprocessing(size=(96, 96)))
    found = []
    for each in ("float32", precision):
        explained = load_classifier(tmp_path / "m.pth", model, 2, precision=each).explain(make_images(2, 96))
        assert explained.features.dtype == explained.gradients.dtype == torch.float32
        found.append(explained.features)
    change = ((found[0] - found[1]).abs().mean() / found[0].abs().mean()).item()
    assert least < change < most
