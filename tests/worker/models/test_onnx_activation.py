"""Tests that a sigmoid or softmax at the end of an ONNX model is removed, so that the model gives logits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import NodeProto, helper, numpy_helper

from service.spec.cohort import Model, Preprocessing
from tests.support.onnx_models import SIDE, save_net
from worker.models.classifier import Classifier
from worker.models.load import load_classifier

SMALL = Model(preprocessing=Preprocessing(size=(SIDE, SIDE)))


def node(operation: str, before: str, after: str = "logits", **attributes: Any) -> NodeProto:
    return helper.make_node(operation, [before], [after], **attributes)


def save(path: Path, ends: Sequence[NodeProto], width: int, factor: float = 1.0) -> Path:
    """Save a model of pooling, a linear layer with the output `z`, and the given nodes after the linear layer."""
    nodes = [node("GlobalAveragePool", "images", "pooled"), node("Flatten", "pooled", "flat"),
             helper.make_node("MatMul", ["flat", "weights"], ["z"])]  # fmt: skip
    weights = factor * np.random.default_rng(0).normal(size=(3, width)).astype(np.float32)
    return save_net(path, [*nodes, *ends], numpy_helper.from_array(weights, "weights"),
                    [["batch", 3, SIDE, SIDE], ["batch", width]])  # fmt: skip


def load(path: Path, activation: str = "auto") -> Classifier:
    outputs = {"activation": activation}
    return load_classifier(path, Model.model_validate({**SMALL.model_dump(), "outputs": outputs}), 2)


def images() -> torch.Tensor:
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


ENDS = [
    ("sigmoid", 1, [node("Sigmoid", "z")]),
    ("softmax", 3, [node("Softmax", "z")]),
    ("softmax", 2, [node("Softmax", "z", axis=1)]),
    ("log_softmax", 3, [node("LogSoftmax", "z")]),
    ("sigmoid", 1, [node("Sigmoid", "z", "p"), node("Identity", "p")]),
    ("softmax", 2, [node("Softmax", "z", "p"), node("Flatten", "p")]),
]


@pytest.mark.parametrize("factor", [1, 2000])
@pytest.mark.parametrize(("name", "width", "ends"), ENDS)
def test_the_activation_at_the_end_is_removed(
    tmp_path: Path, name: str, width: int, ends: Sequence[NodeProto], factor: float
) -> None:
    ended = load(save(tmp_path / "ended.onnx", ends, width, factor))
    honest = load(save(tmp_path / "honest.onnx", [node("Identity", "z")], width, factor))
    assert (honest.removed_activation, ended.removed_activation) == (None, name)
    assert torch.allclose(ended.logits(images()), honest.logits(images()), rtol=1e-5)


@pytest.mark.parametrize(
    ("width", "ends"),
    [
        (2, [node("Softmax", "z", axis=0)]),
        (1, [node("Softmax", "z")]),
        (2, [node("Sigmoid", "z", "p"), node("Neg", "p")]),
        (2, [node("Relu", "z")]),
    ],
)
def test_an_operation_at_the_end_that_is_not_an_activation_is_not_removed(
    tmp_path: Path, width: int, ends: Sequence[NodeProto]
) -> None:
    path = save(tmp_path / "m.onnx", ends, width)
    assert load(path).removed_activation is None
    assert torch.equal(load(path).outputs(images()), load(path, "logits").outputs(images()))


def test_an_onnx_model_keeps_its_activation_if_its_outputs_are_declared_as_logits(tmp_path: Path) -> None:
    loaded = load(save(tmp_path / "m.onnx", ENDS[0][2], 1), "logits")
    assert loaded.removed_activation is None
    assert loaded.outputs(images()).amin() > 0
