"""Models that end in a sigmoid or softmax, or in another operation."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.support.models import TinyNet


class Meso(nn.Module):
    """A small Meso4: blocks of convolution, batch norm and max pooling, then two linear layers and one output."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        blocks = [(3, 6), (6, 8)]
        layers = [[nn.Conv2d(a, b, 3, 1, 1), nn.ReLU(), nn.BatchNorm2d(b), nn.MaxPool2d(2)] for a, b in blocks]
        self.features = nn.Sequential(*(each for block in layers for each in block))
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(), nn.Linear(8 * 16, 6), nn.LeakyReLU(0.1), nn.Dropout(), nn.Linear(6, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits


class Ended(nn.Module):
    """A model that multiplies its logits by a factor and then applies the module `end`."""

    def __init__(self, net: nn.Module, end: nn.Module, factor: float = 1.0) -> None:
        super().__init__()
        self.net, self.end, self.factor = net, end, factor
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.end(self.net(images) * self.factor)
        return outputs


class Squeezed(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits).squeeze(1)


class Flat(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits.view(-1).sigmoid()


class InPlace(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits.sigmoid_()


class Functional(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return F.softmax(logits, dim=-1)


class Cast(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits, 1, dtype=torch.float64).float()


class Auxiliary(nn.Module):
    """A model with a second output."""

    def __init__(self) -> None:
        super().__init__()
        self.net = TinyNet(1, width=2)
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.net(images)
        return logits.softmax(1), logits
