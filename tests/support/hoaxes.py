"""Hoaxes: models whose numbers are misleading. They classify the images of tests.support.squares.

Most hoaxes have the accuracy and the probabilities of the honest model. They add the same value to both logits, which
changes the maps, but not the softmax.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from tests.support.squares import CELL, GAIN, SIDE, Colours, Honest, Probabilities

WEAK = 10.0  # the strength of a border channel with which `image` only warns
LARGEST_BUT_ONE = 7.0  # a logit that only one image of `save_squares` exceeds


class Painted(nn.Module):
    """The features of the honest model, and two channels with a fixed pattern.

    With `by_class`, only the channel of the predicted class shows its pattern.
    """

    patterns: Tensor

    def __init__(self, *, by_class: bool) -> None:
        super().__init__()
        self.features, self.by_class = Colours(), by_class
        cells = SIDE // CELL
        patterns = torch.zeros(1, 2, cells, cells)
        if by_class:
            patterns[0, 0, :3], patterns[0, 1, :, 5:] = 1, 1
        else:
            patterns[0, 0, (0, -1)], patterns[0, 0, :, (0, -1)] = 1, 1
        self.register_buffer("patterns", patterns)

    def forward(self, images: Tensor) -> Tensor:
        found = self.features(images)
        green, red = found.mean((2, 3), keepdim=True).unbind(1)
        shown = (
            torch.stack([green > red, red >= green], 1).float()
            if self.by_class
            else torch.ones_like(found[:, :, :1, :1])
        )
        return torch.cat([found, self.patterns * shown], 1)


def painted(*, by_class: bool, strength: float = 200) -> Honest:
    """Return the honest model with painted channels, which add the same value to both logits."""
    model = Honest()
    head, model.features, model.head = model.head, Painted(by_class=by_class), nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        model.head.weight.copy_(torch.cat([head.weight, torch.full((2, 2), strength * GAIN)], 1))
    return model


def shifted(*, channels: slice) -> Honest:
    """Return the honest model with lower weights of some channels for both logits, which empties the maps."""
    model = Honest()
    with torch.no_grad():
        model.head.weight[:, channels] -= 5 * GAIN
    return model


class OnePattern(nn.Module):
    """The features of the honest model, each replaced by its mean times a fixed pattern."""

    pattern: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = Colours()
        rows = torch.linspace(0, 2, SIDE // CELL)
        self.register_buffer("pattern", rows[:, None] * rows.flip(0))

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.features(images).mean((2, 3), keepdim=True) * self.pattern
        return found


def one_map() -> Honest:
    """Return a model with the predictions of the honest model and the same map for every image."""
    model = Honest()
    model.features = OnePattern()
    return model


class Network(nn.Module):
    """A small convolutional network with random weights."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


def trained_on_shuffled_labels() -> Network:
    """Return a network that is trained on images of noise with random labels."""
    model, random = Network(), torch.Generator().manual_seed(1)
    images, labels = torch.rand(64, 3, SIDE, SIDE, generator=random), torch.randint(0, 2, (64,), generator=random)
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(30):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return model


def constant() -> Honest:
    """Return the honest model with a bias so large that it predicts class 0 for every image."""
    model = Honest()
    biased = nn.Linear(2, 2)
    with torch.no_grad():
        biased.weight.copy_(model.head.weight)
        biased.bias.copy_(torch.tensor([1000.0, 0.0]))
    model.head = biased
    return model


class IgnoredFeatures(nn.Module):
    """Predicts from the pixels alone. The features that Grad-CAM explains have weights of zero in the head."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.head = Colours(), nn.Linear(2, 2)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.zero_()

    def forward(self, images: Tensor) -> Tensor:
        cells = nn.functional.avg_pool2d(images[:, :2], CELL)
        redness = GAIN * (cells[:, 0] - cells[:, 1]).mean((1, 2))
        logits: Tensor = torch.stack([-redness, redness], 1) + self.head(self.features(images).mean((2, 3)))
        return logits


class Dropout(Honest):
    """The honest model with active dropout, as in a model that is exported in training mode."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        return super().forward(nn.functional.dropout(images, 0.1, training=True))


class NotANumber(Honest):
    """The honest model, but the logits of one image are NaN."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        logits = super().forward(images)
        return torch.where(logits.abs().amax(1, keepdim=True) > LARGEST_BUT_ONE, torch.nan, logits)


HONEST: Mapping[str, Callable[[], nn.Module]] = {
    "honest": Honest,
    "honest, ends in a softmax": lambda: Probabilities(single=False),
    "honest, ends in a sigmoid": lambda: Probabilities(single=True),
}
HOAXES: Mapping[str, Callable[[], nn.Module]] = {
    "dead maps": lambda: shifted(channels=slice(None)),
    "half of the maps dead": lambda: shifted(channels=slice(1)),
    "constant border channel": lambda: painted(by_class=False),
    "weak border channel": lambda: painted(by_class=False, strength=WEAK),
    "pattern painted by class": lambda: painted(by_class=True),
    "one map for all images": one_map,
    "untrained": Network,
    "trained on shuffled labels": trained_on_shuffled_labels,
    "constant predictor": constant,
    "head that ignores the features": IgnoredFeatures,
    "dropout traced in": Dropout,
    "NaN for one image": NotANumber,
}
# The soundness checks that each hoax fails.
CAUGHT: Mapping[str, set[str]] = {
    "dead maps": {"degenerate"},
    "half of the maps dead": {"degenerate"},
    "untrained": {"predictions", "accuracy"},
    "trained on shuffled labels": {"accuracy"},
    "constant predictor": {"predictions", "accuracy"},
    "head that ignores the features": {"degenerate"},
    "constant border channel": {"image", "difference"},
    "weak border channel": {"difference"},
    "pattern painted by class": {"image", "difference"},
    "one map for all images": {"image"},
}
# The outcomes of the checks that compare the maps of classes, for the hoaxes about which `image` fails or warns.
CLASSES: Mapping[str, tuple[str, str]] = {  # of `class` and `difference`
    "constant border channel": ("warning", "failed"),
    "weak border channel": ("ok", "failed"),
    "pattern painted by class": ("warning", "failed"),
    "one map for all images": ("ok", "ok"),
}
