"""What a model's files say of its input and its classes, whatever the format."""

from collections.abc import Sequence
from pathlib import Path

import torch

from service.model_files import ModelFiles, find_model
from service.pretrained_config import OwnSay, of_timm_cfg, read_own_say
from service.spec import Model
from worker.classifiers import zoo
from worker.classifiers.black_box import BlackBox
from worker.classifiers.program import read_input_sizes
from worker.classifiers.sources import architecture_of


def own_say(path: Path, model: Model) -> OwnSay:
    """What the files of a model say, so far as they say anything. Raises ModelRefused."""
    files = find_model(path)
    if files.config is not None:
        return read_own_say(files.config, model.preprocessing.model_fields_set)
    if files.format == "exported":
        return _of_sizes(read_input_sizes(files.path))
    if files.format == "onnx":
        return _of_sizes(BlackBox(files.path, torch.device("cpu")).sizes)
    return _of_architecture(files, model)


def _of_sizes(sizes: Sequence[int | None]) -> OwnSay:
    """An input (N, C, H, W) that is fixed says how large pictures are."""
    size = tuple(sizes[2:])
    return OwnSay({"size": size}) if None not in size else OwnSay()


def _of_architecture(files: ModelFiles, model: Model) -> OwnSay:
    said = zoo.timm_config(architecture_of(files, model) or "") if files.format == "checkpoint" else None
    return OwnSay(of_timm_cfg(said)) if said else OwnSay()
