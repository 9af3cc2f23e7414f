"""Images of coloured squares, and an honest model that classifies them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

SIDE, CELL, IMAGES = 32, 4, 48
LABELS = ("green", "red")  # the names of classes 0 and 1
GAIN = 40.0


def save_squares(folder: Path, count: int = IMAGES, seed: int = 0) -> Path:
    """Save noisy images of a red or green square of random size and position, in a subfolder per label."""
    random = np.random.default_rng(seed)
    for number in range(count):
        label = number % 2
        image = random.integers(0, 120, (SIDE, SIDE, 3))
        side = int(random.integers(10, 20))
        top, left = random.integers(0, SIDE - side, 2)
        image[top : top + side, left : left + side, 1 - label] += 130
        (folder / LABELS[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.astype(np.uint8)).save(folder / LABELS[label] / f"{number:02}.png")
    return folder


class Colours(nn.Module):
    """Computes how much each cell of CELL x CELL pixels is greener than red, and redder than green.

    (N, 3, H, W) -> (N, 2, H / CELL, W / CELL).
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 2, CELL, CELL, bias=False)
        with torch.no_grad():
            self.convolution.weight.zero_()
            self.convolution.weight[0, :2] = torch.tensor([-1.0, 1.0])[:, None, None] / CELL**2
            self.convolution.weight[1, :2] = torch.tensor([1.0, -1.0])[:, None, None] / CELL**2

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.convolution(images).relu()
        return found


class Honest(nn.Module):
    """Classifies an image by the mean redness and greenness of its cells. The map of this model shows the square."""

    def __init__(self) -> None:
        super().__init__()
        self.features: nn.Module = Colours()
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(GAIN * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


class Probabilities(nn.Module):
    """The honest model with a softmax at its end, or with a single logit and a sigmoid."""

    def __init__(self, *, single: bool) -> None:
        super().__init__()
        self.model, self.single = Honest(), single
        if single:
            head, self.model.head = self.model.head, nn.Linear(2, 1, bias=False)
            with torch.no_grad():
                self.model.head.weight.copy_(head.weight[1:] - head.weight[:1])

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        return logits.sigmoid() if self.single else logits.softmax(1)
