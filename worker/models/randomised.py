"""Cascading randomisation (Adebayo et al. 2018): replaces the weights of a model's top layers by random ones.

A salience method whose maps do not change then ignores the model. A layer is a submodule with parameters of its own,
batch norm included; the top layer is the last one that the model defines. Weights are drawn as before training: normal
with variance 2 / fan-in (He et al. 2015), biases 0, scales 1. The module is changed before it is frozen, in the same
way for every format.
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
from service.spec.cohort import Model
from worker.models.classifier import Classifier
from worker.models.export_module import ATTRIBUTE_PREFIX
from worker.models.load import load_altered
from worker.probes.random_fields import generator_for

# The statistics of batch norm before training.
INITIAL_STATISTICS = {"running_mean": 0.0, "running_var": 1.0}


@dataclass(frozen=True)
class Randomisation:
    """The shares of a model's layers to randomise, the job's seed, and the SHA-256 of the model's file in hex."""

    shares: Sequence[float]
    seed: int
    digest: str


def load_randomised(
    path: Path, model: Model, intact: Classifier, randomisation: Randomisation
) -> dict[str, Classifier]:
    """Return copies of a model by the share of its top layers that is randomised. Raises ModelRefused.

    Each copy is a classifier of one image at a time. Each share has a copy of its own, loaded from the model's files.
    """
    return {
        str(share): load_altered(path, model, intact, partial(draw_layers, share, randomisation))
        for share in randomisation.shares
    }


@torch.no_grad()
def draw_layers(share: float, randomisation: Randomisation, module: Any) -> None:
    """Randomise a share of the module's layers from the top, at least one. Raises ModelRefused if it has no layers."""
    layers = [
        (name, each) for name, each in module.named_modules() if any(True for _ in each.parameters(recurse=False))
    ]
    if not layers:
        raise ModelRefused(
            reason="the model's weights are constants of its graph, which `randomisation` cannot replace; save it "
            "before torch.jit.freeze, or remove the measure"
        )
    for name, layer in layers[len(layers) - math.ceil(share * len(layers)) :]:
        for own, values in layer.named_parameters(recurse=False):
            if values.is_floating_point():
                values.copy_(_draw(f"{name}.{own.removeprefix(ATTRIBUTE_PREFIX)}", values, randomisation))
        for own, values in layer.named_buffers(recurse=False):
            if (plain := own.removeprefix(ATTRIBUTE_PREFIX)) in INITIAL_STATISTICS:
                values.fill_(INITIAL_STATISTICS[plain])


def _draw(name: str, values: Tensor, randomisation: Randomisation) -> Tensor:
    """Return random values for a parameter, as an untrained model has. They are equal for all shares."""
    if values.ndim < 2:
        return torch.full_like(values, 0.0 if name.endswith("bias") else 1.0)
    draws = generator_for("randomisation", randomisation.seed, f"{randomisation.digest}:{name}")
    spread = math.sqrt(2 * values.shape[0] / values.numel())
    drawn = draws.standard_normal(tuple(values.shape), dtype=np.float32) * np.float32(spread)
    return torch.from_numpy(drawn).to(values.device)
