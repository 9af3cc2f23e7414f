"""A small detector and its losses: cross-entropy alone, or blended with a loss on its map.

CYBORG (Boyd et al. 2023, arXiv 2112.00686): alpha * cross-entropy + (1 - alpha) * MSE between the predicted class's
class activation map, min-max normalised, and the human map at the same size. The low-entropy loss, after Piland et al.
2023 (arXiv 2303.00818), replaces the MSE by the entropy of the map.
"""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.experiment.canvas import SIDE
from examples.experiment.dataset import Dataset

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
CYBORG_ALPHA = 0.5
# With the weight CYBORG_ALPHA, the detector minimises only the entropy and does not learn the classes.
LOW_ENTROPY_ALPHA = 0.9
BATCH = 32
WIDTH = 32

# Loss of the predicted class's maps (N, h, w), min-max normalised, against target maps (N, h, w).
MapLoss = Callable[[Tensor, Tensor], Tensor]


class Detector(nn.Module):
    """Four convolutions with WIDTH output maps of 16 x 16, global average pooling, and one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _block(3, 16, 2), _block(16, 24, 2), _block(24, WIDTH, 1), _block(WIDTH, WIDTH, 1)
        )
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, SIDE, SIDE) to logits (N, 2)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


def _block(channels: int, out: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def entropy_of(maps: Tensor, _targets: Tensor) -> Tensor:
    """Treat each map (N, h, w) as a distribution over its cells; return the mean entropy, divided by its maximum."""
    shares = maps.flatten(1) + 1e-6
    shares = shares / shares.sum(1, keepdim=True)
    return -(shares * shares.log()).sum(1).mean() / math.log(shares.shape[1])


def shuffle_maps(maps: Tensor) -> Tensor:
    """Shuffle human maps (N, h, w) among the images, so that they tell only where forgeries usually are."""
    return maps[torch.randperm(len(maps))]


def shift_anywhere(maps: Tensor) -> Tensor:
    """Shuffle maps (N, h, w) and shift each map cyclically by a random amount, so that they keep only their shapes."""
    size = maps.shape[1:]
    moves = torch.stack([torch.randint(side, (len(maps),)) for side in size], dim=1).tolist()
    return torch.stack([each.roll(move, (0, 1)) for each, move in zip(shuffle_maps(maps), moves, strict=True)])


@dataclass(frozen=True)
class Recipe:
    """Training of a cohort: an optional loss on its maps, and the weight `alpha` of cross-entropy.

    `make_targets` makes the target maps from the human maps.
    """

    map_loss: MapLoss | None = None
    alpha: float = 1.0
    make_targets: Callable[[Tensor], Tensor] = torch.clone


RECIPES: Mapping[str, Recipe] = {
    "cross-entropy": Recipe(),
    "human-guided": Recipe(F.mse_loss, CYBORG_ALPHA),
    "others-maps": Recipe(F.mse_loss, CYBORG_ALPHA, shuffle_maps),
    "random-maps": Recipe(F.mse_loss, CYBORG_ALPHA, shift_anywhere),
    "low-entropy": Recipe(entropy_of, LOW_ENTROPY_ALPHA),
}


def train(data: Dataset, recipe: Recipe, seed: int, epochs: int) -> tuple[Detector, list[float]]:
    """Train one detector. Returns the detector and the mean loss of each epoch."""
    torch.manual_seed(seed)
    detector = Detector().train()
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack this overload
    images, labels, human = normalised(data.images), data.labels, _targets(data, recipe)
    optimiser = torch.optim.AdamW(detector.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, epochs * (len(images) // BATCH))
    losses = []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(images))[: len(images) // BATCH * BATCH].split(BATCH):
            chosen = images[batch], human[batch]
            if torch.rand(()) < 0.5:
                chosen = chosen[0].flip(3), chosen[1].flip(2)
            loss = loss_of(detector, chosen[0], labels[batch], chosen[1], recipe)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * BATCH / len(images)
        losses.append(total)
    return detector.eval(), losses


def normalised(images: Tensor) -> Tensor:
    """Convert images (N, 3, SIDE, SIDE) of bytes into input for the detector."""
    mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
    return ((images / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def _targets(data: Dataset, recipe: Recipe) -> Tensor:
    """Return the target maps at the size of the detector's maps, (N, 16, 16)."""
    return recipe.make_targets(F.adaptive_avg_pool2d(data.human[:, None] / 255, SIDE // 4)[:, 0])


def loss_of(detector: Detector, images: Tensor, labels: Tensor, targets: Tensor, recipe: Recipe) -> Tensor:
    """Return the loss of a batch. `targets` has the shape (N, 16, 16)."""
    features = detector.features(images)
    logits = detector.head(features.mean((2, 3)))
    loss = F.cross_entropy(logits, labels)
    if recipe.map_loss is None:
        return loss
    maps = (detector.head.weight[logits.argmax(1)][:, :, None, None] * features).sum(1)
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return recipe.alpha * loss + (1 - recipe.alpha) * recipe.map_loss((maps - low) / (high - low + 1e-8), targets)


@torch.no_grad()
def accuracy(detector: Detector, data: Dataset) -> float:
    """Return the share of images that the detector classifies correctly."""
    predicted = torch.cat([detector(normalised(part)).argmax(1) for part in data.images.split(64)])
    return float((predicted == data.labels).float().mean())


def save(detector: Detector, path: Path) -> None:
    """Save a detector as a TorchScript archive, which can be loaded without this code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    trace: Any = torch.jit.trace
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates tracing, but TorchScript archives need it
        trace(detector, torch.zeros(1, 3, SIDE, SIDE)).save(str(path))
