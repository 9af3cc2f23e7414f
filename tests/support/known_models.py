"""Models whose salience is known from their construction."""

import math

import torch
from torch import Tensor, nn

FAINT = 0.03  # noise alone can reach this stripe energy
STRIPES = 6  # the period of the stripes in pixels, as in the images of the experiment


class FixedPlace(nn.Module):
    """A model whose map shows the same quarter of every image. Models of different seeds differ only in the head."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.features, self.head = _FixedQuarter(), nn.Linear(1, 2)
        with torch.no_grad():
            self.head.weight.abs_()

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


class _FixedQuarter(nn.Module):
    quarter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("quarter", torch.zeros(16, 16))
        self.quarter[:8, :8] = 1

    def forward(self, images: Tensor) -> Tensor:
        return images[:, :1, ::4, ::4] * 0 + self.quarter


class Pointwise(nn.Module):
    """A model of 1 x 1 convolutions: if the content of an image shifts, the map shifts by the same distance."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


class StripeDetector(nn.Module):
    """A model that recognises class 1 by diagonal stripes alone, the shortcut in the images of the experiment."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.head = _StripeEnergy(), nn.Linear(1, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[-20.0], [20.0]]))
            self.head.bias.copy_(torch.tensor([2.0, -2.0]))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


class _StripeEnergy(nn.Module):
    """Computes the energy of diagonal stripes in each cell of 4 x 4 pixels, from 0 to 1.

    The energy is the mean norm of the responses to a sine and a cosine filter.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(*[torch.arange(-6.0, 7.0)] * 2, indexing="ij")
        window = torch.exp(-(rows**2 + columns**2) / (2 * 3.0**2))
        phase = 2 * math.pi * (rows + columns) / STRIPES
        waves = torch.stack([wave(phase) * window for wave in (torch.sin, torch.cos)])
        waves = waves - waves.mean((1, 2), keepdim=True)
        self.register_buffer("kernel", (waves / waves.abs().sum((1, 2), keepdim=True))[:, None])

    def forward(self, images: Tensor) -> Tensor:
        grey = nn.functional.pad(images.mean(1, keepdim=True), (6, 6, 6, 6), mode="reflect")
        parts = nn.functional.conv2d(grey, self.kernel)
        energy = nn.functional.avg_pool2d(parts.square().sum(1, keepdim=True).sqrt(), 4)
        return ((energy - FAINT) * 25).clamp(0, 1)


class Signed(nn.Module):
    """A model that responds to pixels above a threshold. With sign -1, the weights of the head make all maps zero."""

    def __init__(self, sign: int = 1, threshold: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        convolution, self.head = nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.Linear(4, 2)
        self.features, self.threshold = nn.Sequential(convolution, nn.ReLU()), threshold
        with torch.no_grad():
            convolution.weight.abs_()
            self.head.weight.abs_().mul_(sign)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        logits: Tensor = self.head(self.features((images - self.threshold).relu()).mean((2, 3)))
        return logits
