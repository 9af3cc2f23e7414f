"""A loaded classifier: computes logits, feature maps and gradients of images.

All chunks of images have one size, since a backend may choose other kernels for other shapes and then give other
last bits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from service.spec.cohort import Preprocessing
from worker.models.layers import Layer, LinearTail
from worker.models.precision import Precision, normalise

# The smallest normal float32 above 0, and the largest float32 below 1.
MIN_PROBABILITY, MAX_PROBABILITY = torch.finfo(torch.float32).tiny, 1 - torch.finfo(torch.float32).eps / 2

# Normalised inputs (N, C, H, W) -> the model's own outputs, and the layer's output as a leaf of autograd.
Tapped = Callable[[Tensor], tuple[Tensor, Tensor]]
# Normalised inputs -> the model's own outputs.
Plain = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Explained:
    """One chunk's logits (N, C), targets (N,), feature maps and gradients of the target logits (both (N, K, h, w)).

    If a ReLU follows the layer, `features` are taken after the ReLU and `gradients` before it. `other_gradients`
    (N, K, h, w) are those of the strongest other class's logit, None if the caller does not request them.
    """

    logits: Tensor
    features: Tensor
    gradients: Tensor
    targets: Tensor
    other_gradients: Tensor | None = None


@dataclass(frozen=True)
class Head:
    """Converts the model's outputs to logits of classes. `width` is the number of outputs; one output is two classes.

    `single_class` is the class that a model with one output predicts if its logit is positive. `tail` is the linear
    layer over the pooled feature map, or None if the model ends in another way. With `gives_probabilities`, the outputs
    are probabilities and not logits.
    """

    width: int
    single_class: int
    tail: LinearTail | None
    gives_probabilities: bool = False

    @property
    def classes(self) -> int:
        """Return the number of classes, at least 2."""
        return max(self.width, 2)

    def logits(self, outputs: Tensor) -> Tensor:
        """Outputs (N, width) or (N,) -> logits (N, classes) float32. A single logit z becomes z and -z."""
        columns = self.columns(outputs)
        if self.gives_probabilities:
            columns = _log(columns) if self.width > 1 else _log_odds(columns)
        return columns if self.width > 1 else self._pair(columns, 1)

    def columns(self, outputs: Tensor) -> Tensor:
        """Return outputs (N, width) or (N,) of a model as float32 columns, (N, width)."""
        return outputs.reshape(len(outputs), -1).float()

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits (N, classes) -> probabilities (N, classes).

        The softmax; for a single logit z, sigmoid(z) and 1 - sigmoid(z); for a model that gives
        probabilities, the model's own.
        """
        if self.gives_probabilities and self.width > 1:
            return logits.exp()
        return logits.softmax(1) if self.width > 1 else logits.sigmoid()

    def class_weights(self) -> Tensor | None:
        """Return the linear layer's weights (classes, K), None without a linear tail.

        The weights w of a single logit become w and -w.
        """
        if self.tail is None or self.width > 1:
            return None if self.tail is None else self.tail.weights
        return self._pair(self.tail.weights, 0)

    def gradients(self, features: Tensor, classes: Tensor) -> Tensor | None:
        """Return the gradients of the logits of `classes` (N,) at the feature map, (N, K, h, w), in closed form.

        Returns None if there is no closed form, because the model does not end in a linear tail.
        """
        weights = self.class_weights()
        if weights is None or self.tail is None:
            return None
        shared = weights[classes][:, :, None, None] / (features.shape[2] * features.shape[3])
        return shared * (features > 0) if self.tail.rectified else shared.expand_as(features)

    def _pair(self, one: Tensor, dim: int) -> Tensor:
        return torch.cat([-one, one] if self.single_class == 1 else [one, -one], dim)


def _log(probabilities: Tensor) -> Tensor:
    """Return log p in a form whose value and gradient are finite at p = 0."""
    return probabilities.clamp(min=MIN_PROBABILITY).log()


def _log_odds(probabilities: Tensor) -> Tensor:
    """Return log p - log(1 - p) in a form whose value and gradient are finite at p = 0 and p = 1."""
    inside = probabilities.clamp(MIN_PROBABILITY, MAX_PROBABILITY)
    return inside.log() - (-inside).log1p()


def predicted(logits: Tensor) -> Tensor:
    """Return the class with the largest logit, (N, C) -> (N,)."""
    return logits.argmax(1)


def strongest_other(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the class with the largest logit except the target, (N, C) and (N,) -> (N,)."""
    return logits.scatter(1, targets[:, None], -torch.inf).argmax(1)


@torch.enable_grad()
def differentiate(logits: Tensor, classes: Tensor, at: Tensor) -> Tensor:
    """Return the gradients of logits (N, C) of one class an image (N,) at the tensor `at`, by autograd."""
    (gradients,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), at, retain_graph=True)
    return gradients


@dataclass(frozen=True)
class Classifier:
    """A model that runs on `chunk` images at a time. `layer` and `tapped` are None if it has no feature map.

    `layers` are all layers that the spec can choose from. A black box (ONNX) is not `differentiable`.
    `removed_activation` is the sigmoid or softmax that was removed from the model's end, None if there was none.
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
    removed_activation: str | None = None

    def logits(self, images: Tensor) -> Tensor:
        """A full chunk (chunk, 3, H, W) in [0, 1] -> logits (chunk, classes), differentiable."""
        return self.head.logits(self.outputs(self._inputs(images)))

    def outputs(self, inputs: Tensor) -> Tensor:
        """A full chunk of normalised inputs -> the model's own outputs, differentiable."""
        with self.precision.context(self.device):
            return self.plain(inputs)

    def explain(
        self, images: Tensor, choose: Callable[[Tensor], Tensor] = predicted, *, with_other: bool = False
    ) -> Explained:
        """Explain a full chunk of images (chunk, 3, H, W) in [0, 1].

        `choose` takes the classes to explain from the logits: (N, C) -> (N,). `with_other` adds the gradients of the
        strongest other class, without a further forward pass.
        """
        assert self.tapped is not None and self.layer is not None, (
            "the planner refuses methods that a model does not support"
        )
        with torch.set_grad_enabled(self.head.tail is None), self.precision.context(self.device):
            outputs, activations = self.tapped(self._inputs(images))
            logits = self.head.logits(outputs)
        chosen = choose(logits.detach())
        features = self.layer.activations(activations.detach()).float()
        wanted = [chosen, strongest_other(logits.detach(), chosen)] if with_other else [chosen]
        gradients = []
        for classes in wanted:
            found = self.head.gradients(features, classes)
            if found is None:
                found = self.layer.as_map(differentiate(logits, classes, activations)).float()
            gradients.append(found)
        return Explained(logits.detach(), features, gradients[0], chosen, *gradients[1:])

    def _inputs(self, images: Tensor) -> Tensor:
        return normalise(images, self.preprocessing)
