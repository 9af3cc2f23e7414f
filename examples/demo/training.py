"""Two recipes for a small detector: cross-entropy alone, and guided by where people look.

CYBORG (Boyd et al. 2023, arXiv 2112.00686): alpha * cross-entropy + (1 - alpha) * MSE of the class activation
map, min-max normalised, with the human map at its size.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.demo.pictures import SIDE, Example

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
ALPHA = 0.5
BATCH = 32


class Detector(nn.Module):
    """Three convolutions that give 32 maps of 16 x 16, global average pooling, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(_block(3, 16, 2), _block(16, 32, 2), _block(32, 32, 1))
        self.head = nn.Linear(32, 2)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, SIDE, SIDE), normalised -> logits (N, 2)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


def _block(channels: int, out: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1), nn.BatchNorm2d(out), nn.ReLU())


def train(examples: Sequence[Example], seed: int, epochs: int, *, guided: bool) -> tuple[Detector, list[float]]:
    """Train one detector. Returns it and the mean loss of each epoch."""
    torch.manual_seed(seed)
    detector = Detector().train()
    images, labels, human = _tensors(examples)
    optimiser = torch.optim.AdamW(detector.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, epochs * (len(images) // BATCH))
    losses = []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(images))[: len(images) // BATCH * BATCH].split(BATCH):
            loss = _loss(detector, images[batch], labels[batch], human[batch] if guided else None)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * BATCH / len(images)
        losses.append(total)
    return detector.eval(), losses


def save(detector: Detector, path: Path) -> None:
    """Save a detector as a TorchScript archive, which can be loaded without this code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    trace: Any = torch.jit.trace
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and what such archives are made by
        trace(detector, torch.zeros(1, 3, SIDE, SIDE)).save(str(path))


def _tensors(examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
    images = torch.from_numpy(np.stack([each.picture for each in examples]))
    mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
    labels = torch.tensor([each.label for each in examples])
    human = torch.from_numpy(np.stack([each.human for each in examples]))
    return (images - mean) / std, labels, F.adaptive_avg_pool2d(human[:, None], SIDE // 4)[:, 0]


def _loss(detector: Detector, images: Tensor, labels: Tensor, human: Tensor | None) -> Tensor:
    features = detector.features(images)
    logits = detector.head(features.mean((2, 3)))
    entropy = F.cross_entropy(logits, labels)
    if human is None:
        return entropy
    cam = (detector.head.weight[labels][:, :, None, None] * features).sum(1)
    low, high = cam.amin((1, 2), keepdim=True), cam.amax((1, 2), keepdim=True)
    return ALPHA * entropy + (1 - ALPHA) * F.mse_loss((cam - low) / (high - low + 1e-8), human)
