"""Checkpoints: a state dict, plain or under `state_dict` as CYBORG saves it, read as data only."""

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from service.errors import ModelRefused
from worker.classifiers import zoo


def load_checkpoint(path: Path, architecture: str, num_classes: int | None) -> nn.Module:
    """The architecture with the checkpoint's weights. Raises ModelRefused, with what does not fit."""
    weights = _read(path)
    classes = num_classes or _count_classes(weights, path)
    model = zoo.build(architecture, classes)
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise ModelRefused(
            reason=f"{path} does not fit {architecture} with {classes} classes: {lines[min(1, len(lines) - 1)].strip()}"
        ) from error
    wanting = [key for key in missing if not key.endswith("num_batches_tracked") and not _is_auxiliary(key)]
    foreign = [key for key in unexpected if not _is_auxiliary(key)]
    if wanting or foreign:
        told = [f"lacks {_few(wanting)}"] * bool(wanting) + [f"holds the unknown {_few(foreign)}"] * bool(foreign)
        raise ModelRefused(reason=f"{path} does not fit {architecture}: it {' and '.join(told)}")
    return model


def _read(path: Path) -> dict[str, Tensor]:
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelRefused(
            reason=f"{path} holds more than weights and is not read; save model.state_dict() instead"
        ) from error
    except Exception as error:  # a damaged file makes torch raise all sorts
        raise ModelRefused(reason=f"{path} is a damaged checkpoint: {_first_line(error)}") from error
    if isinstance(stored, Mapping) and isinstance(stored.get("state_dict"), Mapping):
        stored = stored["state_dict"]
    if not isinstance(stored, Mapping) or not stored or not all(isinstance(v, Tensor) for v in stored.values()):
        raise ModelRefused(reason=f"{path} holds no state dict, plain or under the key state_dict")
    weights = OrderedDict((str(key).removeprefix("module."), value) for key, value in stored.items())
    # The versions of its modules, by which torch reads older ones.
    weights._metadata = getattr(stored, "_metadata", {})  # type: ignore[attr-defined]  # torch keeps it there
    return weights


def _count_classes(weights: Mapping[str, Tensor], path: Path) -> int:
    """The classifier's outputs: the length of the last weight's first dimension, auxiliary heads left out."""
    heads = [
        value
        for key, value in weights.items()
        if key.endswith("weight") and value.ndim in (2, 4) and not _is_auxiliary(key)
    ]
    if not heads:
        raise ModelRefused(reason=f"{path} has no weight to tell the number of classes by; give model.num_classes")
    return int(heads[-1].shape[0])


def _is_auxiliary(key: str) -> bool:
    return key.startswith(("AuxLogits.", "aux1.", "aux2."))


def _few(keys: list[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + more


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
