"""Computes the maps of images under a model. In an audit, no other module runs a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from service.spec.model import JobSpec
from worker.measures.explanation import Explanation
from worker.models.classifier import Classifier, Explained, Head
from worker.salience.attribution import integrated_gradients, random_masks, rise, saliency
from worker.salience.cam import GRADIENT_METHODS, NEEDS_LAYER, cam, diffgradcam
from worker.salience.maps import MIN_RANGES, normalise_maps, resize_maps
from worker.salience.soundness import Evidence, compare_gradcam, soundness_columns

# From a chunk's logits (N, C) to the classes explained (N,).
ChooseTargets = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Attribution:
    """Raw maps (N, h, w), logits (N, C) and the classes explained (N,); `explained` if the method reads a layer."""

    raw: Tensor
    logits: Tensor
    targets: Tensor
    explained: Explained | None = None


def explain(
    classifier: Classifier, images: Sequence[Tensor], choose: ChooseTargets, spec: JobSpec, *, check: bool = False
) -> Explanation:
    """Explain at most one chunk of images (3, H, W) each. Copies of the last image fill an incomplete chunk.

    If `check`, the first image has values of `soundness`; those of all other images are missing (NaN).
    """
    missing = classifier.chunk - len(images)
    filled = torch.stack([*images, *[images[-1]] * missing])
    found = _attribute(classifier, filled, choose, spec, check)
    native, degenerate = normalise_maps(found.raw, MIN_RANGES[spec.precision])
    maps = resize_maps(native, classifier.preprocessing.size)
    probabilities = classifier.head.probabilities(found.logits)
    soundness = maps.new_full((len(maps), len(soundness_columns(spec.salience.method))), torch.nan)
    if check and found.explained is not None:
        soundness[:1] = _soundness(found.explained, spec, classifier.preprocessing.size)
    rows = Explanation(native, maps, degenerate, probabilities, found.logits.argmax(1), found.targets, soundness)
    return rows.slice(0, len(images))


def _soundness(explained: Explained, spec: JobSpec, size: tuple[int, int]) -> Tensor:
    """Return the first image's columns of soundness, (1, S)."""
    assert explained.other_gradients is not None
    parts = (explained.features, explained.gradients, explained.other_gradients)
    evidence, columns = Evidence(*(each[:1] for each in parts)), soundness_columns(spec.salience.method)
    found = compare_gradcam(columns, evidence, size, MIN_RANGES[spec.precision])
    return torch.stack(list(found.values()), 1)


def _attribute(
    classifier: Classifier, images: Tensor, choose: ChooseTargets, spec: JobSpec, check: bool
) -> _Attribution:
    method = spec.salience.method
    if method in NEEDS_LAYER:
        found = classifier.explain(images, choose, with_other=check or method == "diffgradcam")
        return _Attribution(_raw_maps(method, found, classifier.head), found.logits, found.targets, found)
    with torch.no_grad():
        logits = classifier.logits(images)
    targets = choose(logits)
    return _Attribution(_attribute_black_box(classifier, images, targets, spec), logits, targets)


def _raw_maps(method: str, found: Explained, head: Head) -> Tensor:
    """Raw maps by a method that reads a layer, (N, h, w)."""
    if method == "diffgradcam":
        assert found.other_gradients is not None
        return diffgradcam(found.features, found.gradients, found.other_gradients)
    if method == "cam":
        weights = head.class_weights()
        assert weights is not None, "the plan refuses models without a linear head"
        return cam(found.features, weights[found.targets])
    return GRADIENT_METHODS[method](found.features, found.gradients)


def _attribute_black_box(classifier: Classifier, images: Tensor, targets: Tensor, spec: JobSpec) -> Tensor:
    """Return raw maps (N, H, W) by a method that needs no feature layer."""
    if spec.salience.method == "saliency":
        return saliency(classifier.logits, images, targets)
    if spec.salience.method == "integrated_gradients":
        return integrated_gradients(classifier.logits, images, targets, steps=spec.options.integrated_gradients.steps)
    how = spec.options.rise
    masks = random_masks(how.masks, how.cells, how.keep, spec.seed, classifier.preprocessing.size)
    return rise(lambda shown: classifier.head.probabilities(classifier.logits(shown)), images, targets, masks)
