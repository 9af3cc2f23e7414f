"""Computes the maps of images under a model. Below the runner, no other module runs a model."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from service.spec.model import JobSpec
from worker.measures.explanation import Explanation
from worker.models.classifier import Classifier
from worker.salience.attribution import integrated_gradients, random_masks, rise, saliency
from worker.salience.cam import GRADIENT_METHODS, cam, diffgradcam
from worker.salience.maps import MIN_RANGES, normalise_maps, resize_maps

# From a chunk's logits (N, C) to the classes explained (N,).
ChooseTargets = Callable[[Tensor], Tensor]


def explain(classifier: Classifier, images: Sequence[Tensor], choose: ChooseTargets, spec: JobSpec) -> Explanation:
    """Explain at most one chunk of images (3, H, W) each. Copies of the last image fill an incomplete chunk."""
    missing = classifier.chunk - len(images)
    filled = torch.stack([*images, *[images[-1]] * missing])
    raw, logits, targets = _attribute(classifier, filled, choose, spec)
    native, degenerate = normalise_maps(raw, MIN_RANGES[spec.precision])
    maps = resize_maps(native, classifier.preprocessing.size)
    found = Explanation(native, maps, degenerate, classifier.head.probabilities(logits), logits.argmax(1), targets)
    return found.slice(0, len(images))


def _attribute(
    classifier: Classifier, images: Tensor, choose: ChooseTargets, spec: JobSpec
) -> tuple[Tensor, Tensor, Tensor]:
    """Return raw maps (N, h, w), logits (N, C) and the classes explained (N,)."""
    method = spec.salience.method
    if method in GRADIENT_METHODS:
        found = classifier.explain(images, choose)
        return GRADIENT_METHODS[method](found.features, found.gradients), found.logits, found.targets
    if method == "diffgradcam":
        found = classifier.explain(images, choose, with_other=True)
        assert found.other_gradients is not None
        return diffgradcam(found.features, found.gradients, found.other_gradients), found.logits, found.targets
    if method == "cam":
        found, weights = classifier.explain(images, choose), classifier.head.class_weights()
        assert weights is not None, "the plan refuses models without a linear head"
        return cam(found.features, weights[found.targets]), found.logits, found.targets
    with torch.no_grad():
        logits = classifier.logits(images)
    targets = choose(logits)
    return _attribute_black_box(classifier, images, targets, spec), logits, targets


def _attribute_black_box(classifier: Classifier, images: Tensor, targets: Tensor, spec: JobSpec) -> Tensor:
    """Return raw maps (N, H, W) by a method that needs no feature layer."""
    if spec.salience.method == "saliency":
        return saliency(classifier.logits, images, targets)
    if spec.salience.method == "integrated_gradients":
        return integrated_gradients(classifier.logits, images, targets, steps=spec.options.integrated_gradients.steps)
    how = spec.options.rise
    masks = random_masks(how.masks, how.cells, how.keep, spec.seed, classifier.preprocessing.size)
    return rise(lambda shown: classifier.head.probabilities(classifier.logits(shown)), images, targets, masks)
