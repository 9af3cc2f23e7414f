"""A classifier ready to be explained: pictures to logits, feature maps and gradients.

Pictures go through in chunks of one size, since a backend may choose other kernels, and so give other
last bits, for other shapes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from service.spec.model import Preprocessing
from worker.models.layers import Layer, LinearTail
from worker.models.precision import Precision, normalise

# The probabilities next to 0 and to 1, of float32.
LEAST, MOST = torch.finfo(torch.float32).tiny, 1 - torch.finfo(torch.float32).eps / 2

# Normalised inputs (N, C, H, W) -> the model's own outputs, and what the layer gives as a leaf of autograd.
Tapped = Callable[[Tensor], tuple[Tensor, Tensor]]
# Normalised inputs -> the model's own outputs.
Plain = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Explained:
    """Of a chunk: logits (N, C), feature maps and the target logits' gradients (N, K, h, w), targets (N,).

    Where a ReLU follows the layer, the maps are those after it, and the gradients those before it.
    """

    logits: Tensor
    features: Tensor
    gradients: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Head:
    """The model's outputs as classes. `width` is how many logits it has; one logit is two classes.

    `single_class` is the class a lone logit speaks for. `tail` is the linear layer over the pooled feature
    map, None where something else is there. `gives_probabilities`: the outputs are probabilities, not logits.
    """

    width: int
    single_class: int
    tail: LinearTail | None
    gives_probabilities: bool = False

    @property
    def classes(self) -> int:
        """How many classes the logits tell apart."""
        return max(self.width, 2)

    def logits(self, outputs: Tensor) -> Tensor:
        """(N, width) or (N,) -> (N, classes) float32; a lone logit z explains its class by z, the other by -z."""
        columns = self.columns(outputs)
        if self.gives_probabilities:
            columns = _log(columns) if self.width > 1 else _log_odds(columns)
        return columns if self.width > 1 else self._pair(columns, 1)

    def columns(self, outputs: Tensor) -> Tensor:
        """(N, width) or (N,) -> (N, width) float32."""
        return outputs.reshape(len(outputs), -1).float()

    def probabilities(self, logits: Tensor) -> Tensor:
        """(N, classes) -> (N, classes): softmax, or sigmoid(z) and 1 - sigmoid(z), or what the model gave itself."""
        if self.gives_probabilities and self.width > 1:
            return logits.exp()
        return logits.softmax(1) if self.width > 1 else logits.sigmoid()

    def class_weights(self) -> Tensor | None:
        """The linear layer's (classes, K), the lone logit's signs as in `logits`."""
        if self.tail is None or self.width > 1:
            return None if self.tail is None else self.tail.weights
        return self._pair(self.tail.weights, 0)

    def gradients(self, features: Tensor, targets: Tensor) -> Tensor | None:
        """The target logits' gradients at the feature map (N, K, h, w) in closed form; None where there is none."""
        weights = self.class_weights()
        if weights is None or self.tail is None:
            return None
        shared = weights[targets][:, :, None, None] / (features.shape[2] * features.shape[3])
        return shared * (features > 0) if self.tail.rectified else shared.expand_as(features)

    def _pair(self, one: Tensor, dim: int) -> Tensor:
        return torch.cat([-one, one] if self.single_class == 1 else [one, -one], dim)


def _log(probabilities: Tensor) -> Tensor:
    """log p, finite at 0, as its gradient is."""
    return probabilities.clamp(min=LEAST).log()


def _log_odds(probabilities: Tensor) -> Tensor:
    """log p - log(1 - p), finite at 0 and 1, as its gradient is."""
    inside = probabilities.clamp(LEAST, MOST)
    return inside.log() - (-inside).log1p()


def predicted(logits: Tensor) -> Tensor:
    """The class with the largest logit, (N, C) -> (N,)."""
    return logits.argmax(1)


@torch.enable_grad()
def differentiate(logits: Tensor, targets: Tensor, at: Tensor) -> Tensor:
    """The gradients of the target logits (N, C) at what they were computed from, by autograd."""
    (gradients,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), at)
    return gradients


@dataclass(frozen=True)
class Classifier:
    """A model run on `chunk` pictures at a time. `layer` and `tapped` are None where it has no feature map.

    `layers` are all that could have been chosen. A black box is not `differentiable`: its logits come without a past.
    """

    plain: Plain
    tapped: Tapped | None
    head: Head
    layer: Layer | None
    preprocessing: Preprocessing
    chunk: int
    device: torch.device
    precision: Precision
    layers: Sequence[Layer] = ()
    differentiable: bool = True

    def logits(self, images: Tensor) -> Tensor:
        """A full chunk (chunk, 3, H, W) in [0, 1] -> logits (chunk, classes), differentiable."""
        return self.head.logits(self.outputs(self._inputs(images)))

    def outputs(self, inputs: Tensor) -> Tensor:
        """A full chunk of normalised inputs -> the model's own outputs, differentiable."""
        with self.precision.context(self.device):
            return self.plain(inputs)

    def explain(self, images: Tensor, choose: Callable[[Tensor], Tensor] = predicted) -> Explained:
        """A full chunk (chunk, 3, H, W) in [0, 1] -> what explains the classes that `choose` takes from the logits."""
        assert self.tapped is not None and self.layer is not None, (
            "the plan refuses methods that a model is not made for"
        )
        with torch.set_grad_enabled(self.head.tail is None), self.precision.context(self.device):
            outputs, given = self.tapped(self._inputs(images))
            logits = self.head.logits(outputs)
        chosen = choose(logits.detach())
        features = self.layer.activations(given.detach()).float()
        gradients = self.head.gradients(features, chosen)
        if gradients is None:
            gradients = self.layer.as_map(differentiate(logits, chosen, given)).float()
        return Explained(logits.detach(), features, gradients, chosen)

    def _inputs(self, images: Tensor) -> Tensor:
        return normalise(images, self.preprocessing)
