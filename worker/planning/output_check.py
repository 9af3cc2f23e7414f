"""Finds whether a model returns logits or probabilities, and checks what its spec declares about its outputs.

Probabilities that are taken for logits would pass through a second sigmoid or softmax, which distorts them.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import torch
from torch import Tensor

from service.domain.job import Image
from service.errors import ModelRefused
from service.spec.cohort import Activation, Model, Preprocessing
from worker.inputs.decode import UnreadableImage, decode
from worker.models.classifier import Classifier
from worker.models.precision import normalise

# Normalised inputs times these factors drive logits out of [0, 1]; probabilities always stay inside.
FACTORS = (1, 10, 100, -100)
IMAGES = 4  # with so few images, the check costs less than the audit of one image
ROUNDING = 1e-6
SUM_ROUNDING = 1e-3


def read_first(
    images: Sequence[Image], read: Callable[[str], bytes], preprocessing: Preprocessing, most: int = IMAGES
) -> Tensor:
    """Return the first readable images, at most `most`, (N, 3, H, W); a grey image if none is readable."""
    found: list[Tensor] = []
    for image in images:
        if len(found) == most:
            break
        with suppress(UnreadableImage, OSError):  # the audit reports why an image is unreadable
            found.append(decode(read(image.path), preprocessing))
    return torch.stack(found or [torch.full((3, *preprocessing.size), 0.5)])


def resolve_activation(path: str, model: Model, classifier: Classifier, images: Tensor) -> Activation:
    """Return the `model.outputs.activation` with which to load a model.

    It is the declared one, except that `auto` becomes `probabilities` if the model gives probabilities. Raises
    ModelRefused if the spec declares probabilities and the model does not give them.
    """
    declared = model.activation
    if declared == "logits" or classifier.removed_activation:
        return declared
    found = _outputs(classifier, images)
    if not len(found):
        return declared
    are_probabilities = _are_probabilities(found)
    if not are_probabilities and declared == "probabilities":
        facts = (
            "its only output leaves [0, 1]" if found.shape[1] == 1 else "its outputs are negative or do not sum to 1"
        )
        raise ModelRefused(
            model_field="outputs.activation",
            reason=f"{path} does not give the probabilities that model.outputs.activation declares: {facts}, for the "
            "first images or for their normalised inputs times 10, 100 and -100. Set the field to `logits`, or omit it",
        )
    return "probabilities" if are_probabilities else declared


@torch.no_grad()
def _outputs(classifier: Classifier, images: Tensor) -> Tensor:
    """Return a model's outputs for images times each of FACTORS, (N, width), without rows that contain NaN."""
    inputs = normalise(images.to(classifier.device), classifier.preprocessing)
    found = []
    for part in torch.split(torch.cat([inputs * factor for factor in FACTORS]), classifier.chunk):
        filled = torch.cat([part, part[-1:].expand(classifier.chunk - len(part), -1, -1, -1)])
        found.append(classifier.head.columns(classifier.outputs(filled))[: len(part)])
    rows = torch.cat(found)
    return rows[~rows.isnan().any(1)]


def _are_probabilities(outputs: Tensor) -> bool:
    """Return whether all rows of outputs (N, width) are probabilities.

    A single output must lie in [0, 1]; several outputs must not be negative and must sum to 1.
    """
    low, high = float(outputs.min()), float(outputs.max())
    if outputs.shape[1] == 1:
        return low >= -ROUNDING and high <= 1 + ROUNDING
    return low >= -ROUNDING and float((outputs.sum(1) - 1).abs().max()) <= SUM_ROUNDING
