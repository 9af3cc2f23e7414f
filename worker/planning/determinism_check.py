"""Checks that a model explains the same image alike each time, which active dropout or augmentation prevents."""

from dataclasses import dataclass

from torch import Tensor

from service.errors import ModelRefused
from service.spec.cohort import Model
from service.spec.model import JobSpec
from worker.audit.explanation import explain
from worker.measures.explanation import Explanation
from worker.measures.similarity import ssim
from worker.models.classifier import Classifier, predicted

TOLERANCE = 1e-5  # between values of maps, and between probabilities, all in [0, 1]


@dataclass(frozen=True)
class Determinism:
    """Whether a model is deterministic, and the similarity (SSIM) of two maps of the same image."""

    deterministic: bool
    self_similarity: float


def check_determinism(path: str, model: Model, classifier: Classifier, images: Tensor, spec: JobSpec) -> Determinism:
    """Explain the same image twice and compare maps and probabilities.

    It uses the first of `images` (N, 3, H, W) whose map is not degenerate. The image fills both batches alone, so that
    effects of other images in the batch do not count. Raises ModelRefused if the model is not deterministic and the
    spec does not allow that.
    """
    for image in images.to(classifier.device):
        first, second = (explain(classifier, [image], predicted, spec) for _ in range(2))
        difference = _difference(first, second)
        if difference > TOLERANCE or not first.degenerate.any():
            break
    if difference > TOLERANCE and not model.allow_nondeterministic:
        raise ModelRefused(
            model_field="allow_nondeterministic",
            reason=f"{path} does not explain the same image alike twice: maps or probabilities differ by up to "
            f"{difference:.2g}. Dropout or random augmentation may still be active. Export the model in evaluation "
            "mode: call model.eval() before torch.jit.trace, torch.jit.script, torch.export.export or "
            "torch.onnx.export. If the model is random by design, set model.allow_nondeterministic to true",
        )
    return Determinism(difference <= TOLERANCE, float(ssim(first.comparable, second.comparable)[0]))


def _difference(first: Explanation, second: Explanation) -> float:
    """Return the largest difference between values of two explanations' maps and probabilities."""
    pairs = ((first.maps, second.maps), (first.probabilities, second.probabilities))
    return max(float((a - b).abs().max()) for a, b in pairs)
