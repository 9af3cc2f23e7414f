import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from service.errors import ModelRefused
from service.spec.cohort import Preprocessing
from service.spec.resolution import resolve_preprocessing
from worker.inputs.decode import decode
from worker.models import architectures
from worker.models.config_files import from_timm_config, read_metadata_files
from worker.models.precision import normalise


def folder(path: Path, config: dict[str, Any], processor: dict[str, Any] | None = None) -> Path:
    (path / "config.json").write_text(json.dumps({"model_type": "vit", **config}))
    if processor is not None:
        (path / "preprocessor_config.json").write_text(json.dumps(processor))
    return path


def processors() -> dict[str, Any]:
    """Processors of transformers that resize and normalise in different ways."""
    architectures.import_torchvision()
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
    from transformers.models.efficientnet.image_processing_pil_efficientnet import EfficientNetImageProcessorPil
    from transformers.models.mobilenet_v2.image_processing_pil_mobilenet_v2 import MobileNetV2ImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    return {
        "vit": ViTImageProcessorPil(size={"height": 32, "width": 48}),
        "convnext": ConvNextImageProcessorPil(size={"shortest_edge": 56}),
        "convnext large": ConvNextImageProcessorPil(size={"shortest_edge": 384}),
        "mobilenet": MobileNetV2ImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56}),
        "efficientnet": EfficientNetImageProcessorPil(size={"height": 40, "width": 40}, resample=2),
    }


@pytest.mark.parametrize("name", ["vit", "convnext", "convnext large", "mobilenet", "efficientnet"])
def test_preprocessing_agrees_with_the_models_own_processor(tmp_path: Path, name: str) -> None:
    processor = processors()[name]
    processor.save_pretrained(tmp_path)
    own = read_metadata_files(folder(tmp_path, {}))
    preprocessing = resolve_preprocessing(Preprocessing(), own.preprocessing)
    y, x = np.mgrid[0:90, 0:120]
    image = Image.fromarray(np.stack([x * 2, y * 2, x + y], axis=2).astype(np.uint8))
    image.save(tmp_path / "a.png")
    found = normalise(decode((tmp_path / "a.png").read_bytes(), preprocessing)[None], preprocessing)
    twin = torch.as_tensor(np.asarray(processor(image, return_tensors="pt")["pixel_values"]))
    assert found.shape == twin.shape
    # The crop of transformers may start one pixel away from ours, which makes a small difference on this image.
    assert (found - twin).abs().max() < 0.08
    assert (found - twin).abs().mean() < 0.02


def test_class_names_come_from_the_configuration_unless_they_are_placeholders(tmp_path: Path) -> None:
    assert read_metadata_files(folder(tmp_path, {"id2label": {"1": "dog", "0": "cat"}})).names == ("cat", "dog")
    assert read_metadata_files(folder(tmp_path, {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}})).names is None
    assert read_metadata_files(folder(tmp_path, {"id2label": {"0": "same", "1": "same"}})).names is None
    assert read_metadata_files(folder(tmp_path, {"image_size": 32})).preprocessing == {"size": (32, 32)}


@pytest.mark.parametrize(
    ("processor", "message"),
    [({"resample": 1, "size": 32}, "filter"), ({"size": {"longest_edge": 3}}, "in a way that is not supported")],
)
def test_unsupported_preprocessing_of_a_processor_is_refused(
    tmp_path: Path, processor: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelRefused, match=message):
        read_metadata_files(folder(tmp_path, {}, processor))


def test_the_spec_can_replace_unsupported_preprocessing(tmp_path: Path) -> None:
    source = folder(tmp_path, {}, {"resample": 1, "size": {"longest_edge": 3}, "image_mean": [0.5, 0.5, 0.5]})
    assert read_metadata_files(source, {"size", "resize", "interpolation"}).preprocessing == {"mean": (0.5, 0.5, 0.5)}


@pytest.mark.parametrize(
    "processor",
    [{"image_mean": 0.5}, {"rescale_factor": None}, {"size": {"shortest_edge": None}}, {"size": 32, "resample": []}],
)
def test_a_malformed_processor_is_refused(tmp_path: Path, processor: dict[str, Any]) -> None:
    with pytest.raises(ModelRefused, match=r"not as transformers or timm writes them \("):
        read_metadata_files(folder(tmp_path, {}, processor))


def test_the_files_in_a_timm_folder_declare_the_size_the_class_names_and_the_crop(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "input_size": [3, 224, 224],
        "crop_pct": 0.875,
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "interpolation": "bicubic",
    }
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": "resnet18", "pretrained_cfg": config, "label_names": ["a", "b"]})
    )
    found = read_metadata_files(tmp_path)
    assert (found.names, found.preprocessing) == (("a", "b"), from_timm_config(config))
    filled = resolve_preprocessing(Preprocessing(mean=(0.1, 0.1, 0.1)), found.preprocessing)
    assert (filled.size, filled.interpolation, filled.mean) == ((224, 224), "bicubic", (0.1, 0.1, 0.1))
    assert filled.resize != "squash" and filled.resize.shorter == 256


def test_a_declared_size_beyond_the_limits_of_a_spec_is_refused() -> None:
    with pytest.raises(ModelRefused, match=r"preprocessing\.size"):
        resolve_preprocessing(Preprocessing(), {"size": (100_000, 100_000)})
