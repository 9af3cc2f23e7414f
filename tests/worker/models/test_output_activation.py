"""Tests that a sigmoid or softmax at a model's end changes no map, prediction or probability, since it is removed."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from service.spec.cohort import Model, Outputs, Preprocessing
from tests.support.activated_models import Auxiliary, Cast, Ended, Flat, Functional, InPlace, Meso, Squeezed
from tests.support.exported_models import export
from tests.support.models import TinyNet, save_archive
from worker.models.classifier import Classifier
from worker.models.load import load_classifier
from worker.salience.cam import diffgradcam, gradcam
from worker.salience.maps import normalise_maps

SIDE = 16


ONE_OUTPUT = [nn.Sigmoid(), Squeezed(), Flat(), InPlace()]
SEVERAL = [nn.Softmax(1), Functional(), Cast(), nn.LogSoftmax(1), nn.Sigmoid()]
NETS: Mapping[str, Callable[[], nn.Module]] = {
    "meso": Meso, "one": lambda: TinyNet(1, 1), "two": lambda: TinyNet(1, 2), "seven": lambda: TinyNet(1, 7)
}  # fmt: skip
TRACED = [("meso", ONE_OUTPUT), ("one", ONE_OUTPUT), ("two", SEVERAL), ("seven", SEVERAL[:2])]
SAVED = [("meso", ONE_OUTPUT[:1]), ("one", ONE_OUTPUT[1:]), ("two", SEVERAL[3:]), ("seven", SEVERAL[:2])]


def trace(net: nn.Module, path: Path) -> Path:
    return save_archive(net, path.with_suffix(".pt"), SIDE)


def script(net: nn.Module, path: Path) -> Path:
    compiled: Any = torch.jit.script
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that scripting is deprecated, but users have scripted archives
        compiled(net).save(str(path.with_suffix(".pt")))
    return path.with_suffix(".pt")


def exported(net: nn.Module, path: Path) -> Path:
    return export(net, path.with_suffix(".pt2"))


def images() -> Tensor:
    return torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def load(path: Path, activation: str = "auto") -> Classifier:
    outputs = Outputs.model_validate({"activation": activation})
    return load_classifier(path, Model(preprocessing=Preprocessing(size=(SIDE, SIDE)), outputs=outputs), 3)


def numbers(loaded: Classifier) -> dict[str, Tensor]:
    """Return the maps of two methods, the probabilities and the predictions of the images."""
    found = loaded.explain(images(), with_other=True)
    assert found.other_gradients is not None
    raw = {
        "gradcam": gradcam(found.features, found.gradients),
        "diffgradcam": diffgradcam(found.features, found.gradients, found.other_gradients),
    }
    maps = {name: normalise_maps(each)[0] for name, each in raw.items()}
    return {**maps, "probabilities": loaded.head.probabilities(found.logits), "predicted": found.logits.argmax(1)}


def assert_equal(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    for name, each in wanted.items():
        assert torch.allclose(found[name].double(), each.double(), atol=1e-4), name


@pytest.mark.parametrize(
    ("save", "net", "end"),
    [
        pytest.param(save, net, end, id=f"{save.__name__} {net} {type(end).__name__}")
        for save, cases in ((trace, TRACED), (script, SAVED), (exported, SAVED))
        for net, ends in cases
        for end in ends
    ],
)
def test_a_model_with_an_activation_at_its_end_gives_the_same_numbers_as_without_it(
    tmp_path: Path, save: Callable[[nn.Module, Path], Path], net: str, end: nn.Module
) -> None:
    honest, ended = (
        load(save(Ended(NETS[net](), each), tmp_path / name))
        for name, each in (("honest", nn.Identity()), ("ended", end))
    )
    assert (honest.removed_activation is None, ended.removed_activation is None) == (True, False)
    assert (ended.head.tail is None) is (honest.head.tail is None)
    assert_equal(numbers(ended), numbers(honest))


@pytest.mark.parametrize("save", [trace, script, exported])
def test_the_activation_of_the_first_of_two_outputs_is_removed(
    tmp_path: Path, save: Callable[[nn.Module, Path], Path]
) -> None:
    honest, ended = (load(save(each, tmp_path / str(n))) for n, each in enumerate([TinyNet(1), Auxiliary()]))
    assert ended.removed_activation == "softmax"
    assert_equal(numbers(ended), numbers(honest))


@pytest.mark.parametrize(("width", "end"), [(1, nn.Sigmoid()), (2, nn.Softmax(1)), (7, nn.Softmax(1))])
def test_a_model_whose_probabilities_round_to_0_and_1_gives_the_same_numbers_as_its_logits(
    tmp_path: Path, width: int, end: nn.Module
) -> None:
    factor = 2e4
    honest = Ended(TinyNet(1, width), nn.Identity(), factor)
    assert set(end(honest(images())).unique().tolist()) <= {0.0, 1.0}
    wanted, found = (load(trace(each, tmp_path / "m")) for each in (honest, Ended(TinyNet(1, width), end, factor)))
    assert not numbers(wanted)["gradcam"].isnan().any()
    assert numbers(wanted)["gradcam"].amax((1, 2)).eq(1).any()
    assert_equal(numbers(found), numbers(wanted))


class Twice(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits.sigmoid().sigmoid()


class OverTheBatch(nn.Module):
    """Applies a softmax over the batch instead of the classes."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits.softmax(0)


class Complement(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return 1 - logits.sigmoid()


class Pair(nn.Module):
    """Turns one logit into the probabilities 1 - p and p of two classes, where p is the sigmoid of the logit."""

    def forward(self, logits: Tensor) -> Tensor:
        p = logits.sigmoid()
        return torch.cat([1 - p, p], 1)


@pytest.mark.parametrize(
    ("width", "end"),
    [(1, nn.Softmax(1)), (2, OverTheBatch()), (1, Complement()), (1, Pair()), (2, nn.Identity()), (2, nn.ReLU())],
)
def test_an_operation_at_the_end_that_is_not_an_activation_over_classes_is_not_removed(
    tmp_path: Path, width: int, end: nn.Module
) -> None:
    net = Ended(TinyNet(1, width), end)
    loaded = load(trace(net, tmp_path / "m"))
    assert loaded.removed_activation is None
    outputs = loaded.outputs(torch.zeros(3, 3, SIDE, SIDE))
    assert torch.allclose(outputs, net(torch.zeros(3, 3, SIDE, SIDE)), atol=1e-5)


def test_only_the_last_of_two_sigmoids_is_removed(tmp_path: Path) -> None:
    found, wanted = (load(trace(Ended(TinyNet(1, 1), end), tmp_path / "m")) for end in (Twice(), nn.Sigmoid()))
    inputs = torch.zeros(3, 3, SIDE, SIDE)
    assert torch.allclose(found.outputs(inputs), wanted.outputs(inputs).sigmoid(), atol=1e-6)


@pytest.mark.parametrize(("end", "removed"), [(nn.Softmax(1), "softmax"), (nn.LogSoftmax(1), None)])
def test_a_log_softmax_is_not_removed_if_the_spec_declares_probabilities(
    tmp_path: Path, end: nn.Module, removed: str | None
) -> None:
    loaded = load(trace(Ended(TinyNet(1), end), tmp_path / "m"), "probabilities")
    assert loaded.removed_activation == removed
    assert loaded.head.gives_probabilities is (removed is None)


@pytest.mark.parametrize(("width", "end"), [(1, nn.Sigmoid()), (2, nn.Softmax(1))])
def test_a_model_keeps_its_activation_if_its_outputs_are_declared_as_logits(
    tmp_path: Path, width: int, end: nn.Module
) -> None:
    net = Ended(TinyNet(1, width), end)
    loaded = load(trace(net, tmp_path / "m"), "logits")
    assert (loaded.removed_activation, loaded.head.gives_probabilities) == (None, False)
    inputs = torch.zeros(3, 3, SIDE, SIDE)
    assert torch.allclose(loaded.outputs(inputs), net(inputs), atol=1e-6)


@pytest.mark.parametrize(("end", "width"), [(Complement(), 1), (Pair(), 1)])
def test_probabilities_are_turned_into_logits_if_another_operation_follows_the_sigmoid(
    tmp_path: Path, end: nn.Module, width: int
) -> None:
    honest, hidden = (Ended(TinyNet(1, width), each) for each in (nn.Identity(), end))
    wanted, found = load(trace(honest, tmp_path / "a")), load(trace(hidden, tmp_path / "b"), "probabilities")
    flipped, a, b = isinstance(end, Complement), numbers(wanted), numbers(found)
    assert torch.allclose(b["probabilities"], a["probabilities"].flip(1) if flipped else a["probabilities"], atol=1e-4)
    assert torch.equal(b["predicted"], 1 - a["predicted"] if flipped else a["predicted"])
    assert torch.allclose(b["gradcam"], a["gradcam"], atol=1e-4)
