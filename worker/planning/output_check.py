"""Checks that a model returns what its spec declares, logits or probabilities.

Probabilities that are taken for logits would pass through a second sigmoid or softmax, which distorts them.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import torch
from torch import Tensor

from service.domain.job import Image
from service.errors import ModelRefused
from service.spec.cohort import Outputs, Preprocessing
from worker.inputs.decode import UnreadableImage, decode
from worker.models.classifier import Classifier
from worker.models.precision import normalise

# Normalised inputs times these factors drive logits out of [0, 1]; probabilities always stay inside.
FACTORS = (1, 10, 100, -100)
IMAGES = 4  # few enough that the check costs less than the audit of one image
ROUNDING = 1e-6
SUM_ROUNDING = 1e-3


def read_first(images: Sequence[Image], read: Callable[[str], bytes], preprocessing: Preprocessing) -> Tensor:
    """Return the first readable images, at most IMAGES, (N, 3, H, W); a grey image if none is readable."""
    found: list[Tensor] = []
    for image in images:
        if len(found) == IMAGES:
            break
        with suppress(UnreadableImage, OSError):  # the audit reports the reason
            found.append(decode(read(image.path), preprocessing))
    return torch.stack(found or [torch.full((3, *preprocessing.size), 0.5)])


def check_outputs(path: str, outputs: Outputs, classifier: Classifier, images: Tensor) -> None:
    """Raise ModelRefused if the model returns undeclared probabilities, or other values than declared probabilities."""
    if outputs.activation == "logits":
        return
    found = _outputs(classifier, images)
    if not len(found):
        return
    single, are_probabilities = found.shape[1] == 1, _are_probabilities(found)
    if are_probabilities and outputs.activation == "auto":
        facts = "its only output lies in [0, 1]" if single else "its outputs are not negative and sum to 1"
        raise ModelRefused(
            model_field="outputs.activation",
            reason=f"{path} gives probabilities, not logits: {facts}, even if the normalised inputs are multiplied "
            "by 10, 100 and -100. Set model.outputs.activation to `probabilities`, which converts them to logits, or "
            "to `logits` if they are logits",
        )
    if not are_probabilities and outputs.activation == "probabilities":
        facts = "its only output leaves [0, 1]" if single else "its outputs are negative or do not sum to 1"
        raise ModelRefused(
            model_field="outputs.activation",
            reason=f"{path} does not give the probabilities that model.outputs.activation declares: {facts}, for the "
            "first images or for their normalised inputs times 10, 100 and -100. Set the field to `logits`, or omit it",
        )


@torch.no_grad()
def _outputs(classifier: Classifier, images: Tensor) -> Tensor:
    """Return the outputs (N, width) for images times each of FACTORS, without rows that contain NaN."""
    inputs = normalise(images.to(classifier.device), classifier.preprocessing)
    found = []
    for part in torch.split(torch.cat([inputs * factor for factor in FACTORS]), classifier.chunk):
        filled = torch.cat([part, part[-1:].expand(classifier.chunk - len(part), -1, -1, -1)])
        found.append(classifier.head.columns(classifier.outputs(filled))[: len(part)])
    rows = torch.cat(found)
    return rows[~rows.isnan().any(1)]


def _are_probabilities(outputs: Tensor) -> bool:
    """Return whether rows (N, width) are probabilities.

    A single output must lie in [0, 1]; several outputs must not be negative and must sum to 1.
    """
    low, high = float(outputs.min()), float(outputs.max())
    if outputs.shape[1] == 1:
        return low >= -ROUNDING and high <= 1 + ROUNDING
    return low >= -ROUNDING and float((outputs.sum(1) - 1).abs().max()) <= SUM_ROUNDING
