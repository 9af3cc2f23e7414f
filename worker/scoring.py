"""From maps to numbers: what each measure compares, and the columns it gives. Asks no model.

A column is named measure, part and statistic: `noise.0.05.pearson`. The headline of a measure is the mean
of its parts' SSIM, and stands under the measure's own name.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from service.spec import JobSpec
from worker.explaining import Seen
from worker.measures.entropy import entropy_spatial
from worker.measures.similarity import SIMILARITIES, mean_over, similarities
from worker.measures.stability import stability
from worker.probes.geometry import crop_valid, transform

Columns = dict[str, Tensor]


def score_clean(clean: Seen, labels: Tensor) -> Columns:
    """What the model says of the clean pictures; `labels` (N,) are class numbers, -1 where there is none."""
    correct = torch.where(labels >= 0, (clean.predicted == labels).double(), torch.nan)
    return {
        "predicted": clean.predicted,
        "probability": clean.target_probability,
        "correct": correct,
        "degenerate": clean.degenerate,
    }


def score_entropy(clean: Seen) -> Columns:
    """Both entropies of the native maps."""
    return {"entropy": clean.entropy, "entropy.spatial": entropy_spatial(clean.native)}


def score_noise(clean: Seen, noisy: Mapping[str, Seen]) -> Columns:
    """Maps of the clean pictures against those of each amount of noise."""
    parts = {}
    for amount, seen in noisy.items():
        changes = {
            "entropy_change": seen.entropy - clean.entropy,
            "probability_change": seen.target_probability - clean.target_probability,
        }
        parts[amount] = similarities(clean.maps, seen.maps) | changes
    return _with_headline("noise", parts)


def score_geometry(clean: Seen, moved: Mapping[str, Seen]) -> Columns:
    """Each transformed map against the map of the transformed picture, where it came from inside the frame."""
    parts = {
        name: similarities(crop_valid(transform(clean.maps, name), name), crop_valid(seen.maps, name))
        for name, seen in moved.items()
    }
    return _with_headline("geometry", parts)


def score_degradation(clean: Seen, blurred: Mapping[str, Seen]) -> Columns:
    """Maps before and after the guided blur of `background` and of `object`. The headline is `background`."""
    parts = {
        name: similarities(clean.maps, seen.maps)
        | {"probability_change": seen.probability_of(clean.predicted) - clean.probability_of(clean.predicted)}
        for name, seen in blurred.items()
    }
    gap = parts["background"]["ssim"] - parts["object"]["ssim"]
    headline = _with_headline("degradation", {"background": parts["background"]})
    return headline | _flatten("degradation", parts) | {"degradation.gap": gap}


# The measures that compare a picture's map with those of its variants.
VARIANT_SCORES: Mapping[str, Callable[[Seen, Mapping[str, Seen]], Columns]] = {
    "noise": score_noise,
    "geometry": score_geometry,
    "degradation": score_degradation,
}
BLURS = ("background", "object")


def variant_keys(spec: JobSpec) -> dict[str, tuple[str, ...]]:
    """The variants that the spec's measures ask for, by measure."""
    options = spec.options
    asked = {
        "noise": tuple(map(str, options.noise.amounts)),
        "geometry": tuple(options.geometry.transforms),
        "degradation": BLURS,
    }
    return {measure: keys for measure, keys in asked.items() if measure in spec.measures}


def score_run(spec: JobSpec, clean: Seen, labels: Tensor, variants: Mapping[str, Mapping[str, Seen]]) -> Columns:
    """All columns of one run; `variants` has what the model sees in each variant, by measure."""
    columns = score_clean(clean, labels)
    if "entropy" in spec.measures:
        columns |= score_entropy(clean)
    for measure, seen in variants.items():
        columns |= VARIANT_SCORES[measure](clean, seen)
    return columns


def column_names(spec: JobSpec) -> list[str]:
    """The names of a run's columns, in their order, told from a blank picture's scores."""
    size = spec.cohorts[0].model.preprocessing.size
    blank, zero = torch.zeros(1, *size), torch.zeros(1, dtype=torch.long)
    seen = Seen(blank, blank, zero.bool(), torch.zeros(1, 2), zero)
    variants = {measure: dict.fromkeys(keys, seen) for measure, keys in variant_keys(spec).items()}
    return list(score_run(spec, seen, zero, variants))


def column_names_across(spec: JobSpec, runs: int) -> list[str]:
    """The names of the columns across so many runs, in their order."""
    blank = torch.zeros(runs, 1, 8, 8)
    return list(stability(blank, blank)) if "stability" in spec.measures else []


def _with_headline(measure: str, parts: Mapping[str, Columns]) -> Columns:
    means = {name: mean_over([part[name] for part in parts.values()]) for name in SIMILARITIES}
    beside = {f"{measure}.{name}": value for name, value in means.items() if name != "ssim"}
    return {measure: means["ssim"], **beside, **_flatten(measure, parts)}


def _flatten(measure: str, parts: Mapping[str, Columns]) -> Columns:
    return {f"{measure}.{part}.{name}": each for part, found in parts.items() for name, each in found.items()}
