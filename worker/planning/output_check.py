"""Whether a model's outputs are what its spec says: logits, or probabilities, which a second sigmoid would distort."""

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

FACTORS = (1, 10, 100, -100)  # of normalised inputs: such inputs drive a logit out of [0, 1], and a probability never
IMAGES = 4  # so that the check costs less than the audit of one image
ROUNDING = 1e-6
SUM_ROUNDING = 1e-3


def read_first(images: Sequence[Image], read: Callable[[str], bytes], preprocessing: Preprocessing) -> Tensor:
    """The first images that can be read, at most IMAGES (N, 3, H, W); a grey one where none can."""
    found: list[Tensor] = []
    for image in images:
        if len(found) == IMAGES:
            break
        with suppress(UnreadableImage, OSError):  # whoever audits it says why
            found.append(decode(read(image.path), preprocessing))
    return torch.stack(found or [torch.full((3, *preprocessing.size), 0.5)])


def check_outputs(path: str, outputs: Outputs, classifier: Classifier, images: Tensor) -> None:
    """Raise ModelRefused for probabilities that the spec does not declare, and for a declaration that does not hold."""
    if outputs.activation == "logits":
        return
    found = _outputs(classifier, images)
    if not len(found):
        return
    lone, are_probabilities = found.shape[1] == 1, _are_probabilities(found)
    if are_probabilities and outputs.activation == "auto":
        facts = "its one output lies in [0, 1]" if lone else "its outputs are not negative and sum to 1"
        raise ModelRefused(
            model_field="outputs.activation",
            reason=f"{path} gives probabilities, not logits: {facts}, even for normalised inputs times 10, 100 and "
            "-100. Set model.outputs.activation to `probabilities` to have them turned back into logits, or to "
            "`logits` if that is what they are",
        )
    if not are_probabilities and outputs.activation == "probabilities":
        facts = "its one output leaves [0, 1]" if lone else "its outputs are negative or do not sum to 1"
        raise ModelRefused(
            model_field="outputs.activation",
            reason=f"{path} does not give the probabilities that model.outputs.activation says: {facts}, for the first "
            "images or for these as normalised inputs times 10, 100 and -100. Set it to `logits`, or leave it out",
        )


@torch.no_grad()
def _outputs(classifier: Classifier, images: Tensor) -> Tensor:
    """The model's outputs (N, width) for images and their multiples, without those that are not numbers."""
    inputs = normalise(images.to(classifier.device), classifier.preprocessing)
    found = []
    for part in torch.split(torch.cat([inputs * factor for factor in FACTORS]), classifier.chunk):
        filled = torch.cat([part, part[-1:].expand(classifier.chunk - len(part), -1, -1, -1)])
        found.append(classifier.head.columns(classifier.outputs(filled))[: len(part)])
    rows = torch.cat(found)
    return rows[~rows.isnan().any(1)]


def _are_probabilities(outputs: Tensor) -> bool:
    """Whether rows (N, width) are probabilities: of one class in [0, 1], of several not negative and 1 in sum."""
    low, high = float(outputs.min()), float(outputs.max())
    if outputs.shape[1] == 1:
        return low >= -ROUNDING and high <= 1 + ROUNDING
    return low >= -ROUNDING and float((outputs.sum(1) - 1).abs().max()) <= SUM_ROUNDING
