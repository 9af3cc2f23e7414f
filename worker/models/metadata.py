"""Describes a model: its format, architecture, classes, layers and preprocessing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from service.inputs.model_files import ModelFiles, find_model, read_json
from service.measures.methods import METHODS
from service.spec.cohort import Model
from service.spec.resolution import resolve_preprocessing
from worker.models import architectures
from worker.models.classifier import Classifier
from worker.models.config_files import ModelMetadata, from_timm_config, read_metadata_files
from worker.models.export_archive import read_input_sizes
from worker.models.formats import get_architecture
from worker.models.load import load_classifier
from worker.models.onnx import OnnxModel
from worker.models.weights import read_weights
from worker.salience.cam import NEEDS_GRADIENTS, NEEDS_LAYER, NEEDS_LINEAR_HEAD

MAX_NAMES = 1000


def describe(path: Path, model: Model, chunk: int) -> dict[str, Any]:
    """Load a model and describe it, for `/v1/inspections`. Raises ModelRefused."""
    files, declared = find_model(path), read_metadata(path, model)
    preprocessing = resolve_preprocessing(model.preprocessing, declared.preprocessing)
    resolved = model.model_copy(update={"preprocessing": preprocessing})
    description = {
        "format": files.format,
        "architecture": _architecture(files, model),
        "preprocessing": preprocessing.model_dump(mode="json"),
        "said_by_model": sorted(declared.preprocessing),
    }
    if files.format == "checkpoint" and get_architecture(files, model) is None:
        return description | _weights(files.path)
    return description | _loaded(load_classifier(path, resolved, chunk), declared)


def _loaded(found: Classifier, declared: ModelMetadata) -> dict[str, Any]:
    return {
        "classes": found.head.classes,
        "names": list(declared.names or ())[:MAX_NAMES] or None,
        "batch": found.chunk,
        "layer": found.layer.name if found.layer else None,
        "layers": {each.name: list(each.shape[1:]) for each in found.layers},
        "methods": [name for name in METHODS if _is_supported(name, found)],
    }


def _is_supported(method: str, found: Classifier) -> bool:
    return not (
        (method in NEEDS_LAYER and found.layer is None)
        or (method in NEEDS_LINEAR_HEAD and found.head.tail is None)
        or (method in NEEDS_GRADIENTS and not found.differentiable)
    )


def _architecture(files: ModelFiles, model: Model) -> str | None:
    if files.format == "transformers" and files.config is not None:
        config: Mapping[str, Any] = read_json(files.config / "config.json")
        return str((config.get("architectures") or [config["model_type"]])[0])
    return get_architecture(files, model) if files.format == "checkpoint" else None


def _weights(path: Path) -> dict[str, Any]:
    """Describe a checkpoint of an unknown architecture by the names and shapes of its weights."""
    weights = read_weights(path)
    shapes = {name: list(value.shape) for name, value in weights.items()}
    first_and_last = [*list(shapes)[:5], *list(shapes)[-5:]]
    return {
        "weights": len(shapes),
        "shapes": {name: shapes[name] for name in first_and_last},
        "needs": "model.architecture, such as torchvision/resnet50 or timm/resnet50",
    }


def read_metadata(path: Path, model: Model) -> ModelMetadata:
    """Read the preprocessing and class names that a model's files declare, if any. Raises ModelRefused."""
    files = find_model(path)
    if files.config is not None:
        return read_metadata_files(files.config, model.preprocessing.model_fields_set)
    if files.format == "exported":
        return _from_sizes(read_input_sizes(files.path))
    if files.format == "onnx":
        return _from_sizes(OnnxModel(files.path, torch.device("cpu")).sizes)
    return _from_architecture(files, model)


def _from_sizes(sizes: Sequence[int | None]) -> ModelMetadata:
    """Return the size of images if the sizes of the input (N, C, H, W) are fixed."""
    size = tuple(sizes[2:])
    return ModelMetadata({"size": size}) if None not in size else ModelMetadata()


def _from_architecture(files: ModelFiles, model: Model) -> ModelMetadata:
    config = architectures.timm_config(get_architecture(files, model) or "") if files.format == "checkpoint" else None
    return ModelMetadata(from_timm_config(config)) if config else ModelMetadata()
