"""Builds the architectures of torchvision and timm by name.

torchvision may have been built for another torch than the installed one; this module imports it all the same.
"""

import sys
import warnings
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import nn

from service.errors import ModelRefused

TORCHVISION, TIMM = "torchvision/", "timm/"
_schemas: list[Any] = []


@cache
def import_torchvision() -> ModuleType:
    """Import and return torchvision's models. Other libraries can import torchvision after this call."""
    with warnings.catch_warnings():
        # torchvision warns that its image decoders do not fit this build of torch. This service does not use them.
        warnings.simplefilter("ignore")
        try:
            import torchvision.models as models
        except (RuntimeError, OSError):
            _declare_operators()
            import torchvision.models as models
    return models  # type: ignore[no-any-return]  # torchvision ships no types


def _declare_operators() -> None:
    """Declare the operators that torchvision's CUDA build cannot load with a CPU-only torch, but refers to at import.

    Declarations are enough, since no classifier calls these operators. Modules of a failed import are removed first.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch leaves this untyped
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]  # torch leaves this untyped
    _schemas.append(library)  # the declarations last as long as this object


def build(architecture: str, num_classes: int) -> nn.Module:
    """Build a classifier of torchvision or timm with untrained weights. Raises ModelRefused for an unknown name."""
    if architecture.startswith(TIMM):
        return _build_timm(architecture.removeprefix(TIMM), num_classes)
    name = architecture.removeprefix(TORCHVISION)
    models = import_torchvision()
    known: list[str] = models.list_models(module=models)
    if name not in known:
        raise _unknown("torchvision", name, known)
    make: Callable[..., nn.Module] = models.get_model_builder(name)
    # These two train with an auxiliary head. A checkpoint may hold the head's weights, which are not used.
    extra = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    return make(num_classes=num_classes, **extra)


def _build_timm(name: str, num_classes: int) -> nn.Module:
    timm = _timm()
    plain = name.partition(".")[0]  # the part after the dot names pretrained weights; the checkpoint has its own
    if not timm.is_model(plain):
        raise _unknown("timm", plain, timm.list_models())
    model: nn.Module = timm.create_model(plain, pretrained=False, num_classes=num_classes)
    return model


def timm_config(architecture: str) -> dict[str, Any] | None:
    """Return timm's `pretrained_cfg` of an architecture, or of the weights that its name ends with.

    Returns None for an architecture that is not timm's.
    """
    if not architecture.startswith(TIMM):
        return None
    found = _timm().get_pretrained_cfg(architecture.removeprefix(TIMM), allow_unregistered=True)
    config: dict[str, Any] | None = found.to_dict() if found else None
    return config


@cache
def _timm() -> Any:
    import_torchvision()  # must come first, because timm imports torchvision
    try:
        import timm
    except ModuleNotFoundError as error:
        message = "timm is not installed; install the worker's extra `formats`"
        raise ModelRefused(model_field="architecture", reason=message) from error
    return timm


def _unknown(library: str, name: str, known: list[str]) -> ModelRefused:
    close = ", ".join(get_close_matches(name.lower(), known))
    remedy = f"did you mean {close}?" if close else f"see {library}'s list of classifiers"
    return ModelRefused(model_field="architecture", reason=f"{library} has no classifier {name!r} ({remedy})")
