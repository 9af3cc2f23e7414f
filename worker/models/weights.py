"""Reads state dicts from torch's files and safetensors, plain or nested as trainers save them, without running code."""

import pickle
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from service.errors import ModelRefused
from service.errors.base import first_line
from service.errors.transient import is_transient

NESTED_KEYS = ("state_dict", "model", "model_state_dict", "model_ema", "net")


class OpaqueSettings(dict[str, Any]):
    """Replaces a trainer's own class of settings, whose content is not used."""


# Lightning stores its settings with the weights, as objects of its own classes.
_ALLOWED_CLASSES: list[Any] = [
    Namespace,
    *(
        (OpaqueSettings, name)
        for name in (
            "lightning.fabric.utilities.data.AttributeDict",
            "lightning_fabric.utilities.data.AttributeDict",
            "pytorch_lightning.utilities.parsing.AttributeDict",
        )
    ),
]


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Read the tensors of a state dict by name. Raises ModelRefused."""
    stored = _read(path)
    while isinstance(stored, Mapping) and not _is_state_dict(stored):
        below = next((stored[key] for key in NESTED_KEYS if isinstance(stored.get(key), Mapping)), None)
        if below is None:
            break
        stored = below
    if not _is_state_dict(stored):
        raise ModelRefused(reason=f"{path} contains no state dict, plain or under the key {' or '.join(NESTED_KEYS)}")
    weights: Mapping[str, Tensor] = stored
    return weights


def _is_state_dict(stored: object) -> bool:
    return isinstance(stored, Mapping) and bool(stored) and all(isinstance(each, Tensor) for each in stored.values())


def _read(path: Path) -> Any:
    try:
        if _is_safetensors(path):
            from safetensors.torch import load_file

            return load_file(path)
        with torch.serialization.safe_globals(_ALLOWED_CLASSES):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelRefused(
            reason=f"{path} contains pickled code, which is not loaded for safety; save model.state_dict() instead"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # torch raises many classes of errors for a damaged file
        if is_transient(error):
            raise
        raise ModelRefused(reason=f"{path} is a damaged checkpoint: {first_line(error)}") from error


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"
