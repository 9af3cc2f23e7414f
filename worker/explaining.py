"""From pictures to finished maps: the only place, below the runner, that asks a model.

Pictures go through in batches of one size, the last filled up and cut after its maps are made, so that a
picture's map does not depend on its company, to the last bit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from worker.classifiers.classifier import Classifier, Explained
from worker.measures.entropy import entropy
from worker.salience.maps import normalise_maps, resize_maps
from worker.salience.methods import METHODS, NEEDS_HEAD_WEIGHTS


@dataclass(frozen=True)
class Seen:
    """What a model sees in N pictures: native maps (N, h, w), maps (N, H, W), and what it says of them.

    `probabilities` is (N, C); `targets`, the explained classes, and `degenerate` are (N,).
    """

    native: Tensor
    maps: Tensor
    degenerate: Tensor
    probabilities: Tensor
    targets: Tensor

    @property
    def target_probability(self) -> Tensor:
        """The probability of each picture's own target class, (N,)."""
        return self.probability_of(self.targets)

    def probability_of(self, classes: Tensor) -> Tensor:
        """The probability of one class a picture, (N,)."""
        return self.probabilities.gather(1, classes[:, None])[:, 0]

    @property
    def predicted(self) -> Tensor:
        """The class with the largest logit, (N,)."""
        return self.probabilities.argmax(1)

    @cached_property
    def entropy(self) -> Tensor:
        """Entropy of the native maps, (N,)."""
        return entropy(self.native)

    def take(self, start: int, stop: int) -> "Seen":
        """The pictures numbered start to stop, stop left out."""
        fields = (self.native, self.maps, self.degenerate, self.probabilities, self.targets)
        return Seen(*(field[start:stop] for field in fields))


def see(classifier: Classifier, images: Tensor, targets: Tensor | None, method: str) -> Iterator[Seen]:
    """What the model sees in pictures (N, 3, H, W), a batch at a time."""
    size = classifier.batch_size
    for start in range(0, len(images), size):
        chunk = images[start : start + size]
        wanted = None if targets is None else _fill(targets[start : start + size], size)
        explained = classifier.explain(_fill(chunk, size), wanted)
        yield _finish(classifier, explained, method).take(0, len(chunk))


def join(parts: list[Seen]) -> Seen:
    """Batches one after the other."""
    columns = zip(*((p.native, p.maps, p.degenerate, p.probabilities, p.targets) for p in parts), strict=True)
    return Seen(*(torch.cat(column) for column in columns))


def _finish(classifier: Classifier, explained: Explained, method: str) -> Seen:
    second = explained.gradients
    if method in NEEDS_HEAD_WEIGHTS:
        weights = classifier.head.class_weights()
        assert weights is not None, "the plan refuses models without a linear head"
        second = weights[explained.targets]
    native, degenerate = normalise_maps(METHODS[method](explained.features, second))
    maps = resize_maps(native, classifier.preprocessing.size)
    probabilities = classifier.head.probabilities(explained.logits)
    return Seen(native, maps, degenerate, probabilities, explained.targets)


def _fill(values: Tensor, count: int) -> Tensor:
    """Repeat the last row until there are `count`."""
    missing = count - len(values)
    return torch.cat([values, values[-1:].expand(missing, *values.shape[1:])]) if missing else values
