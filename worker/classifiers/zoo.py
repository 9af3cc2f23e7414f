"""torchvision's architectures by name, also beside a torch that its compiled operators do not fit."""

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

PREFIX = "torchvision/"
_schemas: list[Any] = []


@cache
def _models() -> ModuleType:
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
    """A torchvision classifier with untrained weights. Raises ModelRefused for an unknown name."""
    name = architecture.removeprefix(PREFIX)
    models = _models()
    known: list[str] = models.list_models(module=models)
    if name not in known:
        close = ", ".join(get_close_matches(name, known)) or "see torchvision's list of classifiers"
        raise ModelRefused(reason=f"torchvision has no classifier {name!r} (close: {close})")
    make: Callable[..., nn.Module] = models.get_model_builder(name)
    # Both train with an auxiliary head; its weights may be in the checkpoint and are not used.
    extra = {"init_weights": False} if name in ("inception_v3", "googlenet") else {}
    return make(num_classes=num_classes, **extra)
