from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper

from service.errors import ModelRefused
from service.spec import Model, Preprocessing
from worker.classifiers.load import load_classifier
from worker.classifiers.own_say import own_say
from worker.classifiers.preprocessing import normalise

SIDE = 16
SMALL = Model(preprocessing=Preprocessing(size=(SIDE, SIDE)))
WEIGHTS = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)


def save(path: Path, batch: int | str = "batch", sizes: Sequence[int | str] = (3, SIDE, SIDE)) -> Path:
    """Global average pooling and a linear layer."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    return save_net(path, nodes, numpy_helper.from_array(WEIGHTS, "weights"), [[batch, *sizes], [batch, 2]])


def save_outside(path: Path, name: str) -> Path:
    """A convolution whose weights (8, 3, 3, 3) are in another file: large enough for onnxruntime to take them there."""
    weights = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[8, 3, 3, 3])
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=name)
    nodes = [
        helper.make_node("Conv", ["images", "weights"], ["convolved"]),
        helper.make_node("GlobalAveragePool", ["convolved"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["logits"]),
    ]
    return save_net(path, nodes, weights, [["batch", 3, SIDE, SIDE], ["batch", 8]])


def save_net(
    path: Path, nodes: Sequence[NodeProto], weights: TensorProto, shapes: Sequence[Sequence[int | str]]
) -> Path:
    """A net of two shapes: its images' and its logits'."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, shapes[0])
    given = helper.make_tensor_value_info("logits", TensorProto.FLOAT, shapes[1])
    graph = helper.make_graph(nodes, "net", [images], [given], [weights])
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


@pytest.mark.parametrize("name", ["outside.bin", "./outside.bin", "link.bin", "../outside.bin", "{folder}/outside.bin"])
def test_weights_in_other_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for folder in (here, tmp_path):
        (folder / "outside.bin").write_bytes(np.ones((8, 3, 3, 3), np.float32).tobytes())
    (here / "link.bin").symlink_to(here / "outside.bin")
    monkeypatch.chdir(here)  # where onnxruntime looks by itself
    with pytest.raises(ModelRefused, match="with its weights inside"):
        load_classifier(save_outside(here / "m.onnx", name.format(folder=here)), SMALL, 2)


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


@pytest.mark.parametrize("sizes", [("height", "width", 3), ("height", SIDE, 1)])
def test_a_model_whose_channels_come_last_is_refused_with_what_turns_them(
    tmp_path: Path, sizes: Sequence[int | str]
) -> None:
    with pytest.raises(ModelRefused, match=r"channels come last.*--inputs-as-nchw"):
        own_say(save(tmp_path / "m.onnx", sizes=sizes), SMALL)
