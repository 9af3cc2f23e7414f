import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from service.errors import ModelRefused
from service.spec.cohort import Model, Preprocessing
from tests.support.models import explain_slowly
from tests.support.pretrained import SIDE, make_resnet, make_vit, save_pretrained
from worker.models.load import load_classifier
from worker.models.precision import normalise
from worker.salience.cam import gradcam

SMALL = Model(preprocessing=Preprocessing(size=(SIDE * 4, SIDE * 4)))
TORCHS = {"format": "pt"}  # the metadata that transformers writes into safetensors
VIT = Model(preprocessing=Preprocessing(size=(SIDE, SIDE)))


def make_images(side: int) -> torch.Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_gradcam_of_a_resnet_agrees_with_autograd(tmp_path: Path) -> None:
    net = make_resnet()
    loaded = load_classifier(save_pretrained(net, tmp_path), SMALL, 2)
    images = make_images(SIDE * 4)
    explained = loaded.explain(images)
    assert loaded.layer
    assert (loaded.layer.name, loaded.head.tail is not None) == ("resnet.encoder", True)
    with torch.no_grad():
        assert torch.allclose(explained.logits, net(normalise(images, SMALL.preprocessing)).logits, atol=1e-5)
    whole = net.forward
    net.forward = lambda inputs: whole(pixel_values=inputs).logits
    raw = gradcam(explained.features, explained.gradients)
    for n, image in enumerate(images):
        stage = net.resnet.encoder.stages[-1]
        _, twin = explain_slowly(net, stage, normalise(image[None], SMALL.preprocessing))
        assert torch.allclose(raw[n], twin, atol=1e-5)


def test_the_layer_of_a_vit_has_its_original_name_and_a_gradient(tmp_path: Path) -> None:
    net = make_vit()
    loaded = load_classifier(save_pretrained(net, tmp_path), VIT, 2)
    explained = loaded.explain(make_images(SIDE))
    assert loaded.layer
    assert (loaded.layer.name, loaded.layer.shape[1:]) == ("vit.layers.1.layernorm_before", (16, 4, 4))
    assert loaded.layer.name in dict(net.named_modules())
    assert explained.gradients.abs().max() > 0
    with torch.no_grad():
        twin = net(normalise(make_images(SIDE), VIT.preprocessing)).logits
    assert torch.allclose(explained.logits, twin, atol=1e-5)


def without_weights(folder: Path) -> None:
    next(folder.glob("*.safetensors")).rename(folder / "pytorch_model.bin")


def of_another_kind(folder: Path) -> None:
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"model_type": "vit"', '"model_type": "bert"'))


def with_code(folder: Path) -> None:
    """Change the folder of a model as if the model came with code of its own."""
    (folder / "modeling_own.py").write_text(f"open({str(folder / 'sprung')!r}, 'w')\nclass Own: pass\n")
    config = folder / "config.json"
    auto = '{"auto_map": {"AutoModelForImageClassification": "modeling_own.Own", "AutoConfig": "modeling_own.Own"},'
    config.write_text(config.read_text().replace("{", auto, 1).replace('"model_type": "vit"', '"model_type": "own"'))


def as_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "elsewhere/model"}')


def cut_short(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:3000])


def enormous(folder: Path) -> None:
    """Declare sizes in the configuration that differ from those of the weights."""
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 16', '"hidden_size": 64'))


def with_weights_elsewhere(folder: Path) -> None:
    """Add an index that names weights outside the folder, which transformers would load without a warning."""
    elsewhere = folder.parent / "elsewhere.safetensors"
    (folder / "model.safetensors").rename(elsewhere)
    split(folder, elsewhere, "../elsewhere.safetensors")


def split(folder: Path, weights: Path, second: str) -> None:
    """Write half of the weights to first.safetensors, and an index that names the file `second` for the other half."""
    held = load_file(weights)
    names = {name: second if number % 2 else "first.safetensors" for number, name in enumerate(sorted(held))}
    save_file({name: held[name] for name in names if names[name] != second}, folder / "first.safetensors", TORCHS)
    index = {"metadata": {}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def with_a_pickle(folder: Path) -> None:
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "second.bin")
    split(folder, weights, "second.bin")
    weights.unlink()


def wrapping(folder: Path, **changes: Any) -> None:
    """Replace the folder's model by a timm model, in the form in which transformers saves it."""
    config = {"model_type": "timm_wrapper", "architecture": "resnet10t", "num_classes": 3, "label_names": [*"abc"]}
    (folder / "config.json").write_text(json.dumps(config | changes))


def wrapping_elsewhere(folder: Path) -> None:
    wrapping(folder, architecture=f"local-dir:{folder.parent}")


def wrapping_another_file(folder: Path) -> None:
    wrapping(folder, model_args={"checkpoint_path": str(folder.parent / "other.pth")})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_weights, r"no \.safetensors"),
        (of_another_kind, "not an image classifier"),
        (with_code, "`auto_map` in its config.json.*not run for safety; give"),
        (as_adapter, "adapter"),
        (cut_short, "not an image classifier"),
        (enormous, "not an image classifier"),
        (with_weights_elsewhere, "files in its own folder"),
        (with_a_pickle, "files in its own folder"),
        (wrapping_elsewhere, "read files elsewhere"),
        (wrapping_another_file, "read files elsewhere"),
    ],
)
def test_a_folder_that_does_not_hold_a_plain_transformers_classifier_is_refused(
    tmp_path: Path, spoil: Callable[[Path], Any], message: str
) -> None:
    folder = save_pretrained(make_vit(), tmp_path / "vit")
    spoil(folder)
    with pytest.raises(ModelRefused, match=message):
        load_classifier(folder, VIT, 2)
    assert not (folder / "sprung").exists()


def test_weights_in_several_files_of_the_folder_are_read(tmp_path: Path) -> None:
    folder = save_pretrained(make_vit(), tmp_path)
    whole = load_classifier(folder, VIT, 2).logits(make_images(SIDE))
    split(folder, (folder / "model.safetensors").rename(folder / "second.safetensors"), "second.safetensors")
    assert torch.equal(load_classifier(folder, VIT, 2).logits(make_images(SIDE)), whole)
