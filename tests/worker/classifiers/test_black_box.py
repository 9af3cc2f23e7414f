from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from service.errors import ModelRefused
from service.spec import Model, Preprocessing
from worker.classifiers.load import load_classifier
from worker.classifiers.preprocessing import normalise

SIDE = 16
SMALL = Model(preprocessing=Preprocessing(size=(SIDE, SIDE)))
WEIGHTS = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)


def save(path: Path, batch: int | str = "batch", outside: str | None = None) -> Path:
    """Global average pooling and a linear layer; `outside` puts its weights into another file."""
    weights = numpy_helper.from_array(WEIGHTS, "weights")
    if outside:
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=outside)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        "net",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 2])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("batch", ["batch", 1, 3])
def test_an_onnx_model_gives_logits_and_shows_nothing_else(tmp_path: Path, batch: int | str) -> None:
    loaded = load_classifier(save(tmp_path / "any.name", batch), SMALL, 2)
    assert (loaded.layer, loaded.differentiable) == (None, False)
    assert loaded.chunk == (2 if batch == "batch" else batch)
    images = torch.rand(loaded.chunk, 3, SIDE, SIDE)
    twin = normalise(images, SMALL.preprocessing).mean((2, 3)) @ torch.from_numpy(WEIGHTS)
    assert torch.allclose(loaded.logits(images), twin, atol=1e-5)


def test_weights_in_other_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "outside.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(ModelRefused, match="with its weights inside"):
        load_classifier(save(tmp_path / "m.onnx", outside="outside.bin"), SMALL, 2)


def test_a_layer_of_a_black_box_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="shows no layer"):
        load_classifier(save(tmp_path / "m.onnx"), SMALL.model_copy(update={"layer": "features"}), 2)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelRefused, match="not an ONNX model"):
        load_classifier(path, SMALL, 2)


def test_inputs_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelRefused):
        load_classifier(path, SMALL, 2)
