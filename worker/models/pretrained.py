"""Loads models that transformers saved, from a folder, without the network.

Weights must be in safetensors files. Only the library's own code runs.
"""

import os
import warnings
from pathlib import Path
from typing import Any

from torch import nn

from service.errors import ModelRefused
from service.errors.base import last_line
from service.errors.transient import is_transient
from service.inputs.model_files import read_json
from worker.models import architectures

# transformers reads these variables at import, and then never uses the network.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def load_pretrained(folder: Path) -> nn.Module:
    """Load the image classifier in a folder as a module from images to logits. Raises ModelRefused."""
    if (folder / "adapter_config.json").exists():
        raise ModelRefused(reason=f"{folder} is an adapter for another model; merge the two and save the whole model")
    _check_wrapped(folder)
    os.environ.update(OFFLINE)
    architectures.import_torchvision()  # transformers imports torchvision if it is installed
    try:
        from transformers import AutoModelForImageClassification
        from transformers.utils import logging
    except ModuleNotFoundError as error:
        raise ModelRefused(reason="transformers is not installed; install the worker's extra `formats`") from error
    untyped: Any = logging  # transformers has no types for its logging
    untyped.set_verbosity_error()
    untyped.disable_progress_bar()
    return _load(AutoModelForImageClassification, folder)


def _check_wrapped(folder: Path) -> None:
    """Raise ModelRefused if a timm model wrapped for transformers makes timm read files outside the folder."""
    config = read_json(folder / "config.json")
    if config.get("model_type") != "timm_wrapper":
        return
    arguments, name = config.get("model_args") or {}, config.get("architecture")
    if not isinstance(arguments, dict) or "checkpoint_path" in arguments or ":" in str(name):
        raise ModelRefused(
            reason=f"{folder}/config.json makes timm read files elsewhere; its architecture must be a plain name, and "
            "its model_args must not have checkpoint_path"
        )


def _load(auto: Any, folder: Path) -> nn.Module:
    options: dict[str, Any] = {
        "local_files_only": True, "use_safetensors": True, "trust_remote_code": False, "dtype": "float32",
        # These settings override the folder's files: plain attention has gradients, and no kernels are downloaded.
        "attn_implementation": "eager", "use_kernels": False,
    }  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, message = auto.from_pretrained(str(folder), output_loading_info=True, **options)
    except MemoryError:
        raise
    except Exception as error:  # transformers raises errors of many classes
        if is_transient(error):
            raise
        raise ModelRefused(reason=f"{folder} {_load_failure(error)}") from error
    missing = sorted(map(str, message["missing_keys"]))
    if missing:  # transformers would set these weights at random
        raise ModelRefused(reason=f"{folder} lacks the weights {', '.join(missing[:3])} ({len(missing)} in all)")
    return _return_logits(model)


def _load_failure(error: Exception) -> str:
    """Return why transformers cannot load the model. Omits the advice of transformers to set trust_remote_code."""
    if "trust_remote_code" in str(error):
        return (
            "is a model with its own code (`auto_map` in its config.json), which is not run for safety; give it as a "
            "torch.export or TorchScript archive"
        )
    return f"is not an image classifier that transformers can load: {last_line(error)}"


def _return_logits(model: Any) -> nn.Module:
    """Make the model itself take images and return logits; a wrapper would change the names of its submodules."""
    forward = model.forward
    model.forward = lambda images: forward(pixel_values=images, return_dict=True).logits
    module: nn.Module = model
    return module
