"""Models of transformers, from a folder, without the network: weights in safetensors, no code but the library's."""

import os
import warnings
from pathlib import Path
from typing import Any

from torch import nn

from service.errors import ModelRefused
from service.errors.telling import last_line
from service.errors.transient import is_transient
from service.inputs.model_files import read_json
from worker.models import architectures

# Read by the library when it is imported; nothing is ever fetched.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def load_pretrained(folder: Path) -> nn.Module:
    """The image classifier saved in a folder; it gives logits. Raises ModelRefused."""
    if (folder / "adapter_config.json").exists():
        raise ModelRefused(reason=f"{folder} is an adapter to another model; merge it and save the whole model")
    _check_wrapped(folder)
    os.environ.update(OFFLINE)
    architectures.import_torchvision()  # which transformers imports where it is installed
    try:
        from transformers import AutoModelForImageClassification
        from transformers.utils import logging
    except ModuleNotFoundError as error:
        raise ModelRefused(reason="models of transformers need the extra `formats` of the worker") from error
    chatter: Any = logging  # transformers leaves it untyped
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    return _load(AutoModelForImageClassification, folder)


def _check_wrapped(folder: Path) -> None:
    """Raise ModelRefused where a model of timm, wrapped for transformers, has timm read what lies elsewhere."""
    config = read_json(folder / "config.json")
    if config.get("model_type") != "timm_wrapper":
        return
    given, name = config.get("model_args") or {}, config.get("architecture")
    if not isinstance(given, dict) or "checkpoint_path" in given or ":" in str(name):
        raise ModelRefused(
            reason=f"{folder}/config.json has timm read another model's files; its architecture may be a name, and its "
            "model_args no checkpoint_path"
        )


def _load(auto: Any, folder: Path) -> nn.Module:
    options: dict[str, Any] = {
        "local_files_only": True, "use_safetensors": True, "trust_remote_code": False, "dtype": "float32",
        # Plain operators, which have gradients, and no kernels from elsewhere, whatever the folder's files say.
        "attn_implementation": "eager", "use_kernels": False,
    }  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, message = auto.from_pretrained(str(folder), output_loading_info=True, **options)
    except MemoryError:
        raise
    except Exception as error:  # whatever the library raises at what the files say
        if is_transient(error):
            raise
        raise ModelRefused(reason=f"{folder} {_why_not(error)}") from error
    missing = sorted(map(str, message["missing_keys"]))
    if missing:  # the library would make these up at random
        raise ModelRefused(reason=f"{folder} lacks the weights {', '.join(missing[:3])} ({len(missing)} in all)")
    return _giving_logits(model)


def _why_not(error: Exception) -> str:
    """Why a folder is not loaded, without the library's advice to run what comes with it."""
    if "trust_remote_code" in str(error):
        return (
            "is a model whose code comes with it (`auto_map` in its config.json), and no code of a model is run; give "
            "it as a torch.export or TorchScript archive"
        )
    return f"is not an image classifier that transformers loads: {last_line(error)}"


def _giving_logits(model: Any) -> nn.Module:
    """The model itself, so that its submodules keep their names, called with pictures alone."""
    whole = model.forward
    model.forward = lambda images: whole(pixel_values=images, return_dict=True).logits
    found: nn.Module = model
    return found
