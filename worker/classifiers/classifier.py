"""A classifier ready to be explained: pictures to logits, feature maps and gradients.

Batches always have the same shape, since a backend may choose other kernels, and so give other last
bits, for other shapes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from service.spec import Preprocessing
from worker.classifiers.graph import Layer
from worker.classifiers.preprocessing import normalise

# Normalised inputs (N, C, H, W) -> the model's own outputs, and the feature map as a leaf of autograd.
Tapped = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Explained:
    """Of a batch: logits (N, C), feature maps and the target logits' gradients (N, K, h, w), targets (N,)."""

    logits: Tensor
    features: Tensor
    gradients: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Head:
    """The model's outputs as classes. `width` is how many logits it has; one logit is two classes.

    `single_class` is the class a lone logit speaks for. `weights` (width, K) is the linear layer over the
    feature layer's K channels, None where there is none.
    """

    width: int
    single_class: int
    weights: Tensor | None

    @property
    def classes(self) -> int:
        """How many classes the logits tell apart."""
        return max(self.width, 2)

    def logits(self, outputs: Tensor) -> Tensor:
        """(N, width) or (N,) -> (N, classes); a lone logit z explains its class by z, the other by -z."""
        columns = outputs.reshape(len(outputs), -1)
        return columns if self.width > 1 else self._pair(columns, 1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """(N, classes) -> (N, classes): softmax, or sigmoid(z) and 1 - sigmoid(z)."""
        return logits.softmax(1) if self.width > 1 else logits.sigmoid()

    def class_weights(self) -> Tensor | None:
        """(classes, K), the lone logit's signs as in `logits`."""
        if self.weights is None or self.width > 1:
            return self.weights
        return self._pair(self.weights, 0)

    def _pair(self, one: Tensor, dim: int) -> Tensor:
        return torch.cat([-one, one] if self.single_class == 1 else [one, -one], dim)


@dataclass(frozen=True)
class Classifier:
    """A model with one feature layer tapped, run in batches of one size."""

    run: Tapped
    head: Head
    layer: Layer
    preprocessing: Preprocessing
    batch_size: int
    device: torch.device

    @property
    def map_size(self) -> list[int]:
        """Height and width of the native maps."""
        return list(self.layer.shape[2:])

    def explain(self, images: Tensor, targets: Tensor | None = None) -> Explained:
        """A full batch (batch_size, 3, H, W) in [0, 1] -> what explains each target, by default the predicted class."""
        inputs = normalise(images, self.preprocessing)
        with torch.enable_grad():
            outputs, features = self.run(inputs)
            logits = self.head.logits(outputs)
            chosen = logits.argmax(1) if targets is None else targets
            (gradients,) = torch.autograd.grad(logits.gather(1, chosen[:, None]).sum(), features)
        return Explained(logits.detach(), features.detach(), gradients, chosen)


def find_head_weights(weights: Mapping[str, Tensor], width: int, channels: int) -> Tensor | None:
    """The last linear layer (or 1 x 1 convolution) from that many channels to that many logits."""
    for value in reversed(list(weights.values())):
        if tuple(value.shape) in ((width, channels), (width, channels, 1, 1)):
            return value.detach().reshape(width, channels)
    return None
