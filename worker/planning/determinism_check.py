"""Checks that a model gives the same map for the same image each time. Active dropout or augmentation prevents this."""

from dataclasses import dataclass
from itertools import cycle, islice

import torch
from torch import Tensor

from service.errors import ModelRefused
from service.spec.cohort import Model
from service.spec.model import JobSpec
from worker.audit.explanation import explain
from worker.measures.explanation import Explanation, concatenate
from worker.measures.similarity import ssim
from worker.models.classifier import Classifier, predicted
from worker.statistics.missing import number_or_none

TOLERANCE = 1e-5  # the largest allowed difference of map values and of probabilities, all in [0, 1]


@dataclass(frozen=True)
class Determinism:
    """Whether a model is deterministic, and the mean similarity (SSIM) of two maps of the same image.

    The similarity is None if all maps are degenerate.
    """

    deterministic: bool
    self_similarity: float | None


def check_determinism(path: str, model: Model, classifier: Classifier, images: Tensor, spec: JobSpec) -> Determinism:
    """Explain images (N, 3, H, W) twice and compare maps and probabilities.

    Both batches have the same images in the same order, so that only randomness can change a map. Raises ModelRefused
    if the model is not deterministic and `model` does not allow that.
    """
    first, second = (_explain(classifier, images, spec) for _ in range(2))
    pairs = ((first.maps, second.maps), (first.probabilities, second.probabilities))
    difference = max(float((a - b).abs().max()) for a, b in pairs)
    if difference > TOLERANCE and not model.allow_nondeterministic:
        raise ModelRefused(
            model_field="allow_nondeterministic",
            reason=f"{path} gives different maps or probabilities for the same image: they differ by up to "
            f"{difference:.2g}. Dropout or random augmentation may still be active. Export the model in evaluation "
            "mode: call model.eval() before torch.jit.trace, torch.jit.script, torch.export.export or "
            "torch.onnx.export. If the model is random by design, set model.allow_nondeterministic to true",
        )
    similarity = ssim(first.comparable, second.comparable).nanmean()
    return Determinism(difference <= TOLERANCE, number_or_none(float(similarity)))


def _explain(classifier: Classifier, images: Tensor, spec: JobSpec) -> Explanation:
    """Explain all images. They are repeated to fill a batch, since more passes make randomness more likely to show."""
    rows = torch.stack(list(islice(cycle(images.to(classifier.device)), max(len(images), classifier.chunk))))
    parts = torch.split(rows, classifier.chunk)
    return concatenate([explain(classifier, list(part), predicted, spec) for part in parts])
