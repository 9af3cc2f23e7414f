import pickle
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from service.errors import ModelRefused
from worker.models import architectures
from worker.models.checkpoint import load_checkpoint

NAME = "torchvision/squeezenet1_1"


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(architectures.build(NAME, 2).state_dict())


def prefixed(prefix: str, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}{key}": value for key, value in weights.items()}


def saved(tmp_path: Path, content: Any, **options: Any) -> Path:
    path = tmp_path / "model.pth"
    torch.save(content, path, **options)
    return path


@pytest.mark.parametrize(
    "form", ["plain", "nested", "parallel", "old", "under model", "lightning", "compiled", "with settings"]
)
def test_a_state_dict_is_read_in_every_form_that_trainers_save(
    tmp_path: Path, weights: dict[str, torch.Tensor], form: str
) -> None:
    content = {
        "nested": {"epoch": 3, "state_dict": weights},
        "parallel": OrderedDict((f"module.{key}", value) for key, value in weights.items()),
        "under model": {"model": {"state_dict": weights}, "optimizer": {"lr": 0.1}},
        "lightning": {"state_dict": {"criterion.weight": torch.ones(2), **prefixed("model.module.", weights)}},
        "compiled": prefixed("_orig_mod.", weights),
        "with settings": {"hyper_parameters": Namespace(lr=0.1), "state_dict": prefixed("net.", weights)},
    }.get(form, weights)
    model = load_checkpoint(saved(tmp_path, content, _use_new_zipfile_serialization=form != "old"), NAME, None)
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v3_small", "squeezenet1_1", "googlenet"])
def test_the_number_of_classes_follows_from_the_weights(tmp_path: Path, name: str) -> None:
    model = architectures.build(f"torchvision/{name}", 5)
    loaded = load_checkpoint(saved(tmp_path, model.state_dict()), f"torchvision/{name}", None).eval()
    with torch.no_grad():
        assert loaded(torch.zeros(1, 3, 64, 64)).shape == (1, 5)


@pytest.mark.parametrize("keep", [dict, lambda state: state, lambda state: prefixed("model.", state)])
def test_an_architecture_with_versioned_weights_loads_a_state_dict_without_a_version(
    tmp_path: Path, keep: Callable[[Any], Any]
) -> None:
    model = architectures.build("torchvision/mnasnet0_5", 2)
    state = torch.nn.DataParallel(model).state_dict()
    loaded = load_checkpoint(saved(tmp_path, keep(state)), "torchvision/mnasnet0_5", None)
    assert torch.equal(loaded.state_dict()["layers.0.weight"], state["module.layers.0.weight"])


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224", "convnext_atto", "mobilenetv3_small_050"])
def test_a_timm_architecture_may_be_named_with_any_pretrained_weights(tmp_path: Path, name: str) -> None:
    import timm

    model = timm.create_model(name, num_classes=5)
    loaded = load_checkpoint(saved(tmp_path, model.state_dict()), f"timm/{name}.some_weights", None)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in loaded.state_dict().items())


def test_safetensors_are_read(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    from safetensors.torch import save_file

    save_file(weights, tmp_path / "any.name")
    loaded = load_checkpoint(tmp_path / "any.name", NAME, None)
    assert all(torch.equal(value, weights[key]) for key, value in loaded.state_dict().items())


def test_a_checkpoint_with_two_models_is_refused(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    both = prefixed("student.", weights) | prefixed("teacher.", weights)
    with pytest.raises(ModelRefused, match=r"under student\., teacher\."):
        load_checkpoint(saved(tmp_path, both), NAME, None)


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ModelRefused, match=r"does not fit torchvision/resnet18.*lacks"):
        load_checkpoint(saved(tmp_path, weights), "torchvision/resnet18", None)


def test_a_checkpoint_with_weights_of_other_sizes_is_refused(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ModelRefused, match=r"with 7 classes: size mismatch for classifier\.1") as refused:
        load_checkpoint(saved(tmp_path, weights), NAME, 7)
    assert refused.value.facts["model_field"] == "num_classes"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision/squeezenet", r"did you mean .*squeezenet1_1.*\?"),
        ("timm/ResNet10t", r"did you mean resnet10t"),
        ("torchvision/qqq", r"\(see torchvision's list of classifiers\)"),
    ],
)
def test_an_unknown_architecture_is_refused_with_close_names(
    tmp_path: Path, weights: dict[str, torch.Tensor], name: str, message: str
) -> None:
    with pytest.raises(ModelRefused, match=message):
        load_checkpoint(saved(tmp_path, weights), name, None)


def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    for content in (pickle.dumps(Trap(), protocol=2), b""):
        path = tmp_path / "trap.pth"
        path.write_bytes(content)
        with pytest.raises(ModelRefused):
            load_checkpoint(path, NAME, None)
    torch.save({"state_dict": Trap()}, path)
    with pytest.raises(ModelRefused, match="contains pickled code"):
        load_checkpoint(path, NAME, None)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {"state_dict": {"a": "b"}}, torch.zeros(3)])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(ModelRefused, match="no state dict"):
        load_checkpoint(saved(tmp_path, content), NAME, None)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path, weights: dict[str, torch.Tensor]) -> None:
    path = saved(tmp_path, weights)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ModelRefused, match="damaged"):
        load_checkpoint(path, NAME, None)
