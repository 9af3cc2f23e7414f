"""torchvision's and timm's architectures by name, also beside a torch that torchvision's operators do not fit."""

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
    """torchvision's models; after this, others can import torchvision too."""
    with warnings.catch_warnings():
        # Says that its image decoders are missing beside another build of torch; they are not used.
        warnings.simplefilter("ignore")
        try:
            import torchvision.models as models
        except (RuntimeError, OSError):
            _declare_operators()
            import torchvision.models as models
    return models  # type: ignore[no-any-return]  # torchvision ships no types


def _declare_operators() -> None:
    """torchvision refers at import to operators that its CUDA build cannot load beside a CPU-only torch.

    Declaring them is enough: no classifier calls them. What was half imported must go first.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch leaves this untyped
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]  # torch leaves this untyped
    _schemas.append(library)  # the declarations last as long as this object


def build(architecture: str, num_classes: int) -> nn.Module:
    """A classifier of torchvision or timm with untrained weights. Raises ModelRefused for an unknown name."""
    if architecture.startswith(TIMM):
        return _build_timm(architecture.removeprefix(TIMM), num_classes)
    name = architecture.removeprefix(TORCHVISION)
    models = import_torchvision()
    known: list[str] = models.list_models(module=models)
    if name not in known:
        raise _unknown("torchvision", name, known)
    make: Callable[..., nn.Module] = models.get_model_builder(name)
    # Both train with an auxiliary head; its weights may be in the checkpoint and are not used.
    extra = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    return make(num_classes=num_classes, **extra)


def _build_timm(name: str, num_classes: int) -> nn.Module:
    timm = _timm()
    plain = name.partition(".")[0]  # what follows names weights, which come from the checkpoint
    if not timm.is_model(plain):
        raise _unknown("timm", plain, timm.list_models())
    model: nn.Module = timm.create_model(plain, pretrained=False, num_classes=num_classes)
    return model


def timm_config(architecture: str) -> dict[str, Any] | None:
    """What timm says of an architecture of its own, or of the weights that the name ends with; None of others'."""
    if not architecture.startswith(TIMM):
        return None
    found = _timm().get_pretrained_cfg(architecture.removeprefix(TIMM), allow_unregistered=True)
    said: dict[str, Any] | None = found.to_dict() if found else None
    return said


@cache
def _timm() -> Any:
    import_torchvision()  # which timm imports
    try:
        import timm
    except ModuleNotFoundError as error:
        message = "timm's architectures need the extra `formats` of the worker"
        raise ModelRefused(model_field="architecture", reason=message) from error
    return timm


def _unknown(library: str, name: str, known: list[str]) -> ModelRefused:
    close = ", ".join(get_close_matches(name.lower(), known))
    remedy = f"close: {close}" if close else f"see {library}'s list of classifiers"
    return ModelRefused(model_field="architecture", reason=f"{library} has no classifier {name!r} ({remedy})")
