import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from service.errors import ModelRefused
from service.spec.cohort import Model, Preprocessing
from tests.support.exported_models import SIDE, export
from tests.support.models import TinyNet, explain_slowly
from worker.models import architectures
from worker.models.load import load_classifier
from worker.models.precision import normalise
from worker.salience.cam import gradcam

SMALL = Model(preprocessing=Preprocessing(size=(SIDE, SIDE)))


def make_images(count: int, side: int = SIDE) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def rewrite(path: Path, change: Callable[[Any], None], member: str = "models/model.json") -> Path:
    """Change the JSON of one member of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith(member))
    content = json.loads(members[name])
    change(content)
    members[name] = json.dumps(content).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    return path


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_an_exported_model_gives_the_same_logits_and_maps_as_the_original_model(
    tmp_path: Path, batch: int | None
) -> None:
    net = TinyNet(1)
    loaded = load_classifier(export(net, tmp_path / "m.pt2", batch), SMALL, 2)
    assert loaded.chunk == (batch or 2)
    explained = loaded.explain(make_images(loaded.chunk))
    assert loaded.layer
    assert loaded.layer.name == "features"
    raw = gradcam(explained.features, explained.gradients)
    for n, image in enumerate(make_images(loaded.chunk)):
        logits, twin = explain_slowly(net, net.features, normalise(image[None], SMALL.preprocessing), relu_follows=True)
        assert torch.allclose(explained.logits[n], logits, atol=1e-5)
        assert torch.allclose(raw[n], twin, atol=1e-5)


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "mnasnet0_5"])
def test_exported_operators_on_sizes_lists_and_devices_give_the_original_models_logits(
    tmp_path: Path, name: str
) -> None:
    torch.manual_seed(0)
    net = architectures.build(f"torchvision/{name}", 3).eval()
    model = Model(preprocessing=Preprocessing(size=(64, 64)))
    loaded = load_classifier(export(net, tmp_path / "m.pt2", side=64), model, 2)
    with torch.no_grad():
        twin = net(normalise(make_images(2, 64), model.preprocessing))
        assert torch.allclose(loaded.logits(make_images(2, 64)), twin, atol=1e-5)


def test_an_input_size_that_an_exported_model_does_not_take_is_refused_with_the_right_size(tmp_path: Path) -> None:
    path = export(TinyNet(0), tmp_path / "m.pt2")
    with pytest.raises(ModelRefused, match=r"takes inputs of \[3, 16, 16\], not \[3, 24, 24\]"):
        load_classifier(path, Model(preprocessing=Preprocessing(size=(24, 24))), 2)


class Trap:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._path,))


def evaluate(sprung: Path) -> Callable[[Any], None]:
    """Replace sizes in an archive by an expression, which torch's own reader would evaluate as Python."""

    def change(program: Any) -> None:
        expression = {"as_expr": {"expr_str": f"__import__('pathlib').Path({str(sprung)!r}).touch()", "hint": None}}
        for value in program["graph_module"]["graph"]["tensor_values"].values():
            value["sizes"] = [expression for _ in value["sizes"]]

    return change


def call(target: str) -> Callable[[Any], None]:
    def change(program: Any) -> None:
        program["graph_module"]["graph"]["nodes"][0]["target"] = target

    return change


def name_input(text: str) -> Callable[[Any], None]:
    """Give an input of the graph a name that torch's own reader would insert into generated code."""

    def change(program: Any) -> None:
        graph = program["graph_module"]["graph"]
        graph["nodes"][0]["outputs"][0]["as_tensor"]["name"] = text

    return change


@pytest.mark.parametrize(
    "target",
    ["torch.ops.aten.from_file.default", "torch.hub.load", "_operator.methodcaller", "torch.ops.aten.save.str",
     "os.system", "torch.ops.aten._reshape_alias.default", "torch.ops.aten.as_strided.default",
     "torch.ops.aten.as_strided_.default", "torch.ops.aten.set_.source_Storage_storage_offset",
     "torch.ops.aten.empty.memory_format", "torch.ops.aten.empty_strided.default", "torch.ops.aten.new_empty.default",
     "torch.ops.aten.resize_.default", "torch.ops.aten._softmax.default", "torch.ops.aten.add.out",
     "torch.ops.aten.add.Missing", "torch.ops.aten.add", "torch.ops.prims.as_strided.default",
     "torch.ops.quantized.add.default", "torch.ops.aten.add.Tensor.extra", "torch.ops.aten.lstm.input",
     "torch.ops.aten.gru.input", "torch.ops.aten._upsample_bilinear2d_aa.default",
     "torch.ops.aten.upsample_bilinear2d.default", "torch.ops.aten.upsample_nearest2d.default"],
)  # fmt: skip
def test_a_program_with_an_operator_outside_the_allow_list_is_refused(tmp_path: Path, target: str) -> None:
    path = rewrite(export(TinyNet(0), tmp_path / "m.pt2"), call(target))
    with pytest.raises(ModelRefused, match=target):
        load_classifier(path, SMALL, 2)


@pytest.mark.parametrize("field", ["sizes", "strides"])
def test_an_archive_that_declares_a_tensor_larger_than_its_stored_bytes_is_refused(tmp_path: Path, field: str) -> None:
    def lengthen(config: Any) -> None:
        next(iter(config["config"].values()))["tensor_meta"][field][0]["as_int"] = 1000

    path = rewrite(export(TinyNet(0), tmp_path / "m.pt2"), lengthen, "model_weights_config.json")
    with pytest.raises(ModelRefused, match="out of bounds"):
        load_classifier(path, SMALL, 2)


@pytest.mark.parametrize("name", ["timm/test_vit", "timm/test_convnext", "timm/test_efficientnet", "timm/test_resnet"])
def test_the_operators_of_real_models_are_allowed(tmp_path: Path, name: str) -> None:
    net: Any = architectures.build(name, 2).eval()
    size = net.pretrained_cfg["input_size"]
    path = export(net, tmp_path / "m.pt2", batch=1, side=size[1])
    load_classifier(path, Model(preprocessing=Preprocessing(size=size[1:])), 1)


def test_expressions_in_an_archive_are_not_evaluated(tmp_path: Path) -> None:
    path = rewrite(export(TinyNet(0), tmp_path / "m.pt2"), evaluate(tmp_path / "sprung"))
    loaded = load_classifier(path, SMALL, 2)
    assert loaded.logits(make_images(2)).shape == (2, 2)
    path = rewrite(path, name_input(f"x: open({str(tmp_path / 'sprung')!r}, 'w')"))
    with pytest.raises(ModelRefused):
        load_classifier(path, SMALL, 2)
    assert not (tmp_path / "sprung").exists()


def test_a_pickle_in_an_archive_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path = export(TinyNet(0), tmp_path / "m.pt2")

    def as_pickle(config: Any) -> None:
        config["config"]["features.0.weight"]["use_pickle"] = True

    rewrite(path, as_pickle, "model_weights_config.json")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("m/data/constants/opaque_obj_0", pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ModelRefused, match="pickle"):
        load_classifier(path, SMALL, 2)
    assert not (tmp_path / "sprung").exists()


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = export(TinyNet(0), tmp_path / "m.pt2")
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(ModelRefused, match="damaged"):
        load_classifier(path, SMALL, 2)
