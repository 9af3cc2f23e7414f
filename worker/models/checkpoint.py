"""Loads a checkpoint: builds its architecture and fills it with the weights of its state dict."""

from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from service.errors import ModelRefused
from worker.models import architectures
from worker.models.torch_internals import get_class_version, get_module_versions, set_module_versions
from worker.models.weights import read_weights

Shapes = Mapping[str, tuple[int, ...]]


def load_checkpoint(path: Path, architecture: str, num_classes: int | None) -> nn.Module:
    """Build the architecture with the checkpoint's weights. Raises ModelRefused if they do not fit."""
    weights = _matching_weights(read_weights(path), architecture, path)
    classes = num_classes or _count_classes(weights, architecture, path)
    model = architectures.build(architecture, classes)
    # Some architectures (MNASNet) read a version from the state dict, which trainers and safetensors do not store.
    get_module_versions(weights)[""].setdefault("version", get_class_version(model))
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        lines = str(error).splitlines()
        message = lines[min(1, len(lines) - 1)].strip()
        raise ModelRefused(
            model_field="architecture" if classes == _count_classes(weights, architecture, path) else "num_classes",
            reason=f"{path} does not fit {architecture} with {classes} classes: {message}",
        ) from error
    lacking = [key for key in missing if not key.endswith("num_batches_tracked") and not _is_auxiliary(key)]
    unknown = [key for key in unexpected if not _is_auxiliary(key)]
    if lacking or unknown:
        problems = [f"lacks the weights {_first_names(lacking)}"] * bool(lacking) + [
            f"has the unknown weights {_first_names(unknown)}"
        ] * bool(unknown)
        raise _misfit(path, architecture, " and ".join(problems))
    return model


def _matching_weights(stored: Mapping[str, Tensor], architecture: str, path: Path) -> dict[str, Tensor]:
    """Select the weights of the architecture and remove the prefix that a trainer put before their names.

    Weights under other prefixes, such as those of a loss, do not belong to the architecture.
    """
    expected = _shapes(architecture, 2)
    longest = max(expected, key=len)
    prefixes = {key.removesuffix(longest) for key in stored if key == longest or key.endswith(f".{longest}")}
    complete = [prefix for prefix in prefixes if all(prefix + key in stored for key in expected if _is_needed(key))]
    if len(complete) > 1 and "" not in complete:
        raise ModelRefused(
            reason=f"{path} has several models of {architecture}, under {_first_names(sorted(complete))}; "
            "save one of them alone"
        )
    prefix = "" if "" in complete else min(complete or prefixes, key=len, default="")
    weights = OrderedDict((key.removeprefix(prefix), value) for key, value in stored.items() if key.startswith(prefix))
    set_module_versions(weights, _versions(stored, prefix))
    return weights


def _versions(stored: Mapping[str, Tensor], prefix: str) -> dict[str, dict[str, object]]:
    """Return the version of each module in a state dict, by the module's name without the prefix.

    Torch uses the versions to convert weights of older releases.
    """
    own = {
        f"{name}.".removeprefix(prefix)[:-1]: dict(each)
        for name, each in get_module_versions(stored).items()
        if f"{name}.".startswith(prefix)
    }
    return {"": {}, **own}


def _count_classes(weights: Mapping[str, Tensor], architecture: str, path: Path) -> int:
    """Return the number of classes from the shape of the weights that depend on it."""
    two, three = _shapes(architecture, 2), _shapes(architecture, 3)
    for key in reversed(list(two)):
        grown = [axis for axis, (a, b) in enumerate(zip(two[key], three[key], strict=True)) if a != b]
        if grown and key in weights and not _is_auxiliary(key) and weights[key].ndim > grown[0]:
            return int(weights[key].shape[grown[0]])
    lacking = [key for key in two if key not in weights]
    raise _misfit(path, architecture, f"lacks the weights {_first_names(lacking)}")


def _misfit(path: Path, architecture: str, problem: str) -> ModelRefused:
    return ModelRefused(model_field="architecture", reason=f"{path} does not fit {architecture}: it {problem}")


@lru_cache(maxsize=32)
def _shapes(architecture: str, classes: int) -> Shapes:
    """Return the shapes of an architecture's weights, without allocating them where that is possible."""
    try:
        with torch.device("meta"):
            model = architectures.build(architecture, classes)
    except (RuntimeError, NotImplementedError):  # the constructor reads its weights, so they must be allocated
        model = architectures.build(architecture, classes)
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def _is_needed(key: str) -> bool:
    return not key.endswith("num_batches_tracked") and not _is_auxiliary(key)


def _is_auxiliary(key: str) -> bool:
    return key.startswith(("AuxLogits.", "aux1.", "aux2."))


def _first_names(keys: list[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + more
