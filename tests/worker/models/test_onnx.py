from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from service.errors import ModelRefused
from service.spec.cohort import Model, Preprocessing
from tests.support.onnx_models import SIDE, WEIGHTS, save, save_net
from worker.models.load import load_classifier
from worker.models.metadata import read_metadata
from worker.models.precision import normalise

SMALL = Model(preprocessing=Preprocessing(size=(SIDE, SIDE)))


def save_outside(path: Path, name: str) -> Path:
    """Save a convolution whose weights (8, 3, 3, 3) are in another file, large enough for onnxruntime to use it."""
    weights = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[8, 3, 3, 3])
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=name)
    nodes = [
        helper.make_node("Conv", ["images", "weights"], ["convolved"]),
        helper.make_node("GlobalAveragePool", ["convolved"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["logits"]),
    ]
    return save_net(path, nodes, weights, [["batch", 3, SIDE, SIDE], ["batch", 8]])


@pytest.mark.parametrize("batch", ["batch", 1, 3])
def test_an_onnx_model_gives_logits_and_no_layers(tmp_path: Path, batch: int | str) -> None:
    loaded = load_classifier(save(tmp_path / "any.name", batch), SMALL, 2)
    assert (loaded.layer, loaded.differentiable) == (None, False)
    assert loaded.chunk == (2 if batch == "batch" else batch)
    images = torch.rand(loaded.chunk, 3, SIDE, SIDE)
    twin = normalise(images, SMALL.preprocessing).mean((2, 3)) @ torch.from_numpy(WEIGHTS)
    assert torch.allclose(loaded.logits(images), twin, atol=1e-5)


@pytest.mark.parametrize("name", ["outside.bin", "./outside.bin", "link.bin", "../outside.bin", "{folder}/outside.bin"])
def test_an_onnx_model_with_weights_in_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for folder in (here, tmp_path):
        (folder / "outside.bin").write_bytes(np.ones((8, 3, 3, 3), np.float32).tobytes())
    (here / "link.bin").symlink_to(here / "outside.bin")
    monkeypatch.chdir(here)  # onnxruntime looks for other files in the working directory by default
    with pytest.raises(ModelRefused, match="with its weights inside"):
        load_classifier(save_outside(here / "m.onnx", name.format(folder=here)), SMALL, 2)


def test_a_layer_of_a_black_box_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="has no feature layers"):
        load_classifier(save(tmp_path / "m.onnx"), SMALL.model_copy(update={"layer": "features"}), 2)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelRefused, match="not an ONNX model"):
        load_classifier(path, SMALL, 2)


def test_an_onnx_model_with_another_type_or_number_of_inputs_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelRefused):
        load_classifier(path, SMALL, 2)


@pytest.mark.parametrize("sizes", [("height", "width", 3), ("height", SIDE, 1)])
def test_the_refusal_of_an_onnx_model_with_channels_last_names_the_remedy(
    tmp_path: Path, sizes: Sequence[int | str]
) -> None:
    with pytest.raises(ModelRefused, match=r"channels last.*--inputs-as-nchw"):
        read_metadata(save(tmp_path / "m.onnx", sizes=sizes), SMALL)
