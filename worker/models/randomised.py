"""Cascading randomisation: a model whose top layers' weights are drawn anew, to find out methods that ignore it.

Adebayo et al. 2018. A layer is a submodule with parameters of its own, batch norm included; the top one is the last
that the model defines. Weights are drawn as before a training: normal with variance 2 / fan-in (He et al. 2015),
biases 0, scales 1. The module is changed as it was read, before it is frozen, so that every format is treated alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from service.errors import ModelRefused
from service.spec.model import Model
from worker.models.classifier import Classifier
from worker.models.export_module import ATTRIBUTE_PREFIX
from worker.models.load import load_altered
from worker.probes.random_fields import generator_for

# What batch norm has counted before a training.
COUNTED = {"running_mean": 0.0, "running_var": 1.0}


@dataclass(frozen=True)
class Randomisation:
    """Which shares of a model's layers are drawn anew, by the job's seed and the SHA-256 of its file, in hex."""

    shares: Sequence[float]
    seed: int
    digest: str


def load_randomised(path: Path, model: Model, intact: Classifier, how: Randomisation) -> list[Classifier]:
    """The model in a file, a classifier a share of its layers, each for one picture at a time. Raises ModelRefused."""
    return [load_altered(path, model, intact, partial(draw_layers, share, how)) for share in how.shares]


@torch.no_grad()
def draw_layers(share: float, how: Randomisation, module: Any) -> None:
    """Draw a share of the module's layers anew, at least one, from the top. Raises ModelRefused where it has none."""
    layers = [
        (name, each) for name, each in module.named_modules() if any(True for _ in each.parameters(recurse=False))
    ]
    if not layers:
        raise ModelRefused(
            reason="the model's weights are constants of its graph, and `randomisation` draws weights anew; save it "
            "before torch.jit.freeze, or leave the measure out"
        )
    for name, layer in layers[len(layers) - math.ceil(share * len(layers)) :]:
        for own, values in layer.named_parameters(recurse=False):
            if values.is_floating_point():
                values.copy_(_draw(f"{name}.{own.removeprefix(ATTRIBUTE_PREFIX)}", values, how))
        for own, values in layer.named_buffers(recurse=False):
            if (plain := own.removeprefix(ATTRIBUTE_PREFIX)) in COUNTED:
                values.fill_(COUNTED[plain])


def _draw(name: str, values: Tensor, how: Randomisation) -> Tensor:
    """A parameter before training; its numbers belong to its name, so that every share draws the same."""
    if values.ndim < 2:
        return torch.full_like(values, 0.0 if name.endswith("bias") else 1.0)
    draws = generator_for("randomisation", how.seed, f"{how.digest}:{name}")
    spread = math.sqrt(2 * values.shape[0] / values.numel())
    drawn = draws.standard_normal(tuple(values.shape), dtype=np.float32) * np.float32(spread)
    return torch.from_numpy(drawn).to(values.device)
