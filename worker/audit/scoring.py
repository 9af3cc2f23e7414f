"""Computes the columns of every measure from finished maps. Runs no model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from service.measures import MEASURES
from service.spec.model import JobSpec
from worker.audit.batch import ImageBatch
from worker.measures import chance, degradation, entropy, geometry, human, noise, randomisation, stability
from worker.measures.columns import Columns
from worker.measures.explanation import Explanation
from worker.salience.soundness import soundness_columns

CLASS_PROBABILITY = "class_probability."
MAX_CLASS_PROBABILITIES = 20  # the class probabilities of models with more classes are not stored


@dataclass(frozen=True)
class Seen:
    """What a measure scores: one run's explanations of N clean images and of their variants, by key.

    `human` are the human maps (N, H, W), None if the images have none.
    """

    clean: Explanation
    variants: Mapping[str, Explanation]
    human: Tensor | None


@dataclass(frozen=True)
class Probed:
    """Images (N, 3, H, W), and a function that returns the random fields of all images for the name of a stream."""

    images: Tensor
    fields: Callable[[str], Tensor]


@dataclass(frozen=True)
class Guided:
    """An image (3, H, W), its clean maps (K, H, W) under K runs, and a function from a stream to its random field."""

    image: Tensor
    maps: Tensor
    field: Callable[[str], Tensor]


@dataclass(frozen=True)
class Scorer:
    """The functions that compute one measure. A function is None if the measure does not need it.

    `score` computes the columns of one run. `across` computes the columns that compare K runs, from native maps (K, N,
    h, w), maps (K, N, H, W) and the mask of degenerate maps (K, N). `chance` computes the columns of chance across
    runs, from the native maps and the mask of the images, followed by those of their partners. `variants` makes the
    variants that do not depend on a map, by key. `guided` makes the variants that each run's clean map guides: for each
    run, a dict by key. `variants` and `guided` also receive the measure's options.
    """

    score: Callable[[Seen], Columns] | None = None
    variants: Callable[[Probed, Any], Mapping[str, Tensor]] | None = None
    guided: Callable[[Guided, Any], list[dict[str, Tensor]]] | None = None
    across: Callable[[Tensor, Tensor, Tensor], Columns] | None = None
    chance: Callable[[Tensor, Tensor, Tensor, Tensor], Columns] | None = None


def _noisy(probed: Probed, options: Any) -> Mapping[str, Tensor]:
    return noise.variants(probed.images, probed.fields(options.kind), kind=options.kind, levels=options.levels)


def _blurred(guided: Guided, options: Any) -> list[dict[str, Tensor]]:
    ties = guided.field("ties") if options.curve else torch.empty(0)
    return degradation.variants(guided.image, guided.maps, ties, curve=options.curve)


def _human(seen: Seen) -> Columns:
    assert seen.human is not None, "the plan refuses the measure without human maps"
    return human.score(seen.clean, seen.human)


# The order of the measures is that of their columns.
SCORERS: dict[str, Scorer] = {
    "entropy": Scorer(lambda seen: entropy.score(seen.clean)),
    "noise": Scorer(lambda seen: noise.score(seen.clean, seen.variants), variants=_noisy),
    "geometry": Scorer(
        lambda seen: geometry.score(seen.clean, seen.variants),
        variants=lambda probed, options: geometry.variants(probed.images, transforms=options.transforms),
    ),
    "degradation": Scorer(lambda seen: degradation.score(seen.clean, seen.variants), guided=_blurred),
    "randomisation": Scorer(lambda seen: randomisation.score(seen.clean, seen.variants)),
    "human": Scorer(_human),
    "stability": Scorer(across=stability.score, chance=stability.chance),
}


def requested_scorers(spec: JobSpec) -> dict[str, Scorer]:
    """Return the scorers of a spec's measures, in the order of their columns."""
    return {name: scorer for name, scorer in SCORERS.items() if name in spec.measures}


def score_clean(clean: Explanation, labels: Tensor) -> Columns:
    """Return the model's outputs for the clean images; `labels` (N,) are class numbers, -1 for unlabelled images.

    `brier` is the Brier score. Models of at most MAX_CLASS_PROBABILITIES classes also have the probability of each
    class.
    """
    correct = torch.where(labels >= 0, (clean.predicted == labels).double(), torch.nan)
    probabilities, classes = clean.probabilities.double(), torch.arange(clean.probabilities.shape[1])
    truth = (labels[:, None] == classes.to(labels.device)).double()
    brier = (probabilities - truth).square().sum(1) / 2
    return {
        "predicted": clean.predicted,
        "probability": clean.target_probability,
        "top_probability": clean.probability_of(clean.predicted),
        "correct": correct,
        "degenerate": clean.degenerate,
        "brier": torch.where(labels >= 0, brier, torch.nan),
        # Not strict: models of too many classes have no such columns.
        **dict(zip(class_columns(len(classes)), probabilities.unbind(1), strict=False)),
    }


def class_columns(classes: int) -> list[str]:
    """Return the names of the columns with the probability of each class; none if there are too many classes."""
    return [f"{CLASS_PROBABILITY}{number}" for number in range(classes if classes <= MAX_CLASS_PROBABILITIES else 0)]


def _soundness(spec: JobSpec, clean: Explanation) -> Columns:
    """Return the similarities of Grad-CAM's maps that soundness checks need, missing (NaN) without gradients."""
    names = soundness_columns(spec.salience.method)
    found = clean.soundness
    if found is None:
        found = clean.maps.new_full((len(clean.maps), len(names)), torch.nan)
    return dict(zip(names, found.unbind(1), strict=True))


def score_run(
    spec: JobSpec, clean: Explanation, batch: ImageBatch, variants: Mapping[str, Mapping[str, Explanation]]
) -> Columns:
    """Return all columns of one run; `variants` has the explanations of each variant, by measure and key."""
    columns = score_clean(clean, batch.labels) | _soundness(spec, clean)
    for name, scorer in requested_scorers(spec).items():
        if scorer.score:
            columns |= scorer.score(Seen(clean, variants.get(name, {}), batch.human))
    return columns


def score_across(spec: JobSpec, clean: Sequence[Explanation]) -> Columns:
    """Return all columns across K runs, from each run's clean maps."""
    native, maps, degenerate = (
        torch.stack([getattr(each, name) for each in clean]) for name in ("native", "maps", "degenerate")
    )
    columns: Columns = {}
    for scorer in requested_scorers(spec).values():
        if scorer.across:
            columns |= scorer.across(native, maps, degenerate)
    return columns


def score_chance_across(spec: JobSpec, clean: Sequence[Explanation], partners: Sequence[Explanation]) -> Columns:
    """Return the columns of chance across K runs, from each run's clean maps of the images and of their partners."""
    stacked = [
        torch.stack([getattr(each, name) for each in runs])
        for runs in (clean, partners)
        for name in ("native", "degenerate")
    ]
    columns: Columns = {}
    for scorer in requested_scorers(spec).values():
        if scorer.chance:
            columns |= scorer.chance(*stacked)
    return columns


def has_across_runs(spec: JobSpec) -> bool:
    """Return whether one of the spec's measures compares the runs of a cohort."""
    return any(scorer.across for scorer in requested_scorers(spec).values())


def variant_keys(spec: JobSpec) -> dict[str, list[str]]:
    """Return the keys of the variants of each measure that has any, in the order of the columns."""
    keys = {name: spec.variants_of(MEASURES[name]) for name in requested_scorers(spec)}
    return {name: own for name, own in keys.items() if own}


def column_names(spec: JobSpec, classes: int = 2) -> list[str]:
    """Return the names of a run's columns in order, taken from the scores of a blank image.

    `classes` is the largest number of classes of a model whose probabilities are stored.
    """
    size = spec.cohorts[0].model.preprocessing.size
    blank, zero = torch.zeros(1, *size), torch.zeros(1, dtype=torch.long)
    seen = Explanation(blank, blank, zero.bool(), torch.zeros(1, classes), zero, zero)
    variants = {measure: dict.fromkeys(keys, seen) for measure, keys in variant_keys(spec).items()}
    return [*score_run(spec, seen, ImageBatch(blank, [], zero, blank), variants), *chance.score(seen, seen)]


def column_names_across(spec: JobSpec, runs: int) -> list[str]:
    """Return the names of the columns across `runs` runs, in their order."""
    blank, zero = torch.zeros(1, 8, 8), torch.zeros(1, dtype=torch.long)
    seen = [Explanation(blank, blank, zero.bool(), torch.zeros(1, 2), zero, zero)] * runs
    return [*score_across(spec, seen), *score_chance_across(spec, seen, seen)]
