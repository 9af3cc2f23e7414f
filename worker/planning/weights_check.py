"""Compares maps with those of the same class under a head of new random weights: a method must not ignore the head."""

from pathlib import Path

from torch import Tensor

from service.errors import ModelRefused
from service.spec.cohort import Model
from service.spec.model import JobSpec
from worker.audit.explanation import ChooseTargets, explain
from worker.measures.similarity import similarities, without_degenerate
from worker.models.cache import LoadedModel
from worker.models.classifier import predicted
from worker.models.randomised import Randomisation, load_randomised
from worker.statistics.missing import number_or_none

IMAGES = 32
HEAD = 1e-9  # a share of the layers that rounds up to the last one


def compare_with_random_head(
    path: Path, model: Model, loaded: LoadedModel, images: Tensor, spec: JobSpec
) -> list[float | None]:
    """Return the similarity (SSIM) for each of the images (N, 3, H, W), None if the model's own map is degenerate.

    The weights depend on the seed and on the model's file. Raises ModelRefused if they cannot be replaced.
    """
    try:
        (drawn,) = load_randomised(
            path, model, loaded.classifier, Randomisation([HEAD], spec.seed, loaded.sha256)
        ).values()
    except ModelRefused as refused:
        reason = f"the weights of the model's head cannot be replaced; set it to false ({refused})"
        raise ModelRefused(field="soundness.weights", reason=reason) from refused
    found = []
    for image in images.to(loaded.classifier.device):
        own = explain(loaded.classifier, [image], predicted, spec)
        other = explain(drawn, [image], _only(own.targets), spec)
        pair = without_degenerate(similarities(own.comparable, other.comparable), own.degenerate, other.degenerate)
        found.append(number_or_none(float(pair["ssim"][0])))
    return found


def _only(target: Tensor) -> ChooseTargets:
    """Return how to choose one class (1,) for all images."""
    return lambda logits: target.expand(len(logits))
