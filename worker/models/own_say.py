"""What a model's files say of its input and its classes, whatever the format."""

from collections.abc import Sequence
from pathlib import Path

import torch

from service.inputs.model_files import ModelFiles, find_model
from service.spec.model import Model
from worker.models import architectures as zoo
from worker.models.config_files import ModelMetadata, of_timm_cfg, read_metadata_files
from worker.models.export_archive import read_input_sizes
from worker.models.formats import architecture_of
from worker.models.onnx import OnnxModel


def read_metadata(path: Path, model: Model) -> ModelMetadata:
    """What the files of a model say, so far as they say anything. Raises ModelRefused."""
    files = find_model(path)
    if files.config is not None:
        return read_metadata_files(files.config, model.preprocessing.model_fields_set)
    if files.format == "exported":
        return _of_sizes(read_input_sizes(files.path))
    if files.format == "onnx":
        return _of_sizes(OnnxModel(files.path, torch.device("cpu")).sizes)
    return _of_architecture(files, model)


def _of_sizes(sizes: Sequence[int | None]) -> ModelMetadata:
    """An input (N, C, H, W) that is fixed says how large pictures are."""
    size = tuple(sizes[2:])
    return ModelMetadata({"size": size}) if None not in size else ModelMetadata()


def _of_architecture(files: ModelFiles, model: Model) -> ModelMetadata:
    said = zoo.timm_config(architecture_of(files, model) or "") if files.format == "checkpoint" else None
    return ModelMetadata(of_timm_cfg(said)) if said else ModelMetadata()
