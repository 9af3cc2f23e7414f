"""The maps of some images under a model, which the measures compare. Pure: tensors only."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor

from worker.measures.map_entropy import entropy, entropy_spatial
from worker.measures.similarity import ComparableMaps


@dataclass(frozen=True)
class Explanation:
    """Native maps (N, h, w) and maps (N, H, W) of N images, and the outputs of the model.

    `probabilities` is (N, C). `predicted` are the classes with the largest logit, `targets` the classes explained, and
    `degenerate` says which maps are degenerate; each is (N,). `soundness` (N, S) has the method's columns of soundness.
    """

    native: Tensor
    maps: Tensor
    degenerate: Tensor
    probabilities: Tensor
    predicted: Tensor
    targets: Tensor
    soundness: Tensor | None = None

    @property
    def target_probability(self) -> Tensor:
        """The probability of each image's target class, (N,)."""
        return self.probability_of(self.targets)

    def probability_of(self, classes: Tensor) -> Tensor:
        """Return the probability of each image's class in `classes`; both (N,)."""
        return self.probabilities.gather(1, classes[:, None])[:, 0]

    @cached_property
    def entropy(self) -> Tensor:
        """Entropy of each native map, (N,); NaN for a degenerate map."""
        return entropy(self.native).masked_fill(self.degenerate, torch.nan)

    @property
    def entropy_spatial(self) -> Tensor:
        """Spatial entropy of each native map, (N,); NaN for a degenerate map."""
        return entropy_spatial(self.native).masked_fill(self.degenerate, torch.nan)

    @cached_property
    def comparable(self) -> ComparableMaps:
        """The maps, with the intermediate results that several comparisons share."""
        return ComparableMaps(self.maps)

    def slice(self, start: int, stop: int) -> "Explanation":
        """Return the part of the explanation about the images from `start` up to, but not including, `stop`."""
        return Explanation(*(column[start:stop] for column in self.columns()))

    def columns(self) -> list[Tensor]:
        """Return the fields in their order, without `soundness` if there is none."""
        values = [getattr(self, field.name) for field in fields(self)]
        return [value for value in values if value is not None]


def concatenate(parts: Sequence[Explanation]) -> Explanation:
    """Return one explanation of the images of all parts, in order."""
    return Explanation(*(torch.cat(column) for column in zip(*(part.columns() for part in parts), strict=True)))
