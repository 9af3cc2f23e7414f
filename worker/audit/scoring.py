"""From maps to numbers: what each measure compares, and the columns it gives. Asks no model.

A column is named measure, part and statistic: `noise.0.05.pearson`. The headline of a measure is the mean
of its parts' SSIM, and stands under the measure's own name. A missing number is NaN: a degenerate map has none, and
agrees with nothing.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from service.spec.model import JobSpec
from worker.audit.batch import ImageBatch
from worker.audit.explanation import Explanation
from worker.measures.reduction import mean_over
from worker.measures.similarity import POINTWISE, SIMILARITIES, ComparableMaps, similarities, without_degenerate
from worker.measures.stability import stability
from worker.probes.geometry import crop_valid, is_shift, stays_inside, transform, valid_mask

Columns = dict[str, Tensor]


def score_clean(clean: Explanation, labels: Tensor) -> Columns:
    """What the model says of the clean pictures; `labels` (N,) are class numbers, -1 where there is none."""
    correct = torch.where(labels >= 0, (clean.predicted == labels).double(), torch.nan)
    return {
        "predicted": clean.predicted,
        "probability": clean.target_probability,
        "top_probability": clean.probability_of(clean.predicted),
        "correct": correct,
        "degenerate": clean.degenerate,
    }


def score_entropy(clean: Explanation) -> Columns:
    """Both entropies of the native maps."""
    return {"entropy": clean.entropy, "entropy.spatial": clean.entropy_spatial}


def score_noise(clean: Explanation, noisy: Mapping[str, Explanation]) -> Columns:
    """Maps of the clean pictures against those of each amount of noise."""
    parts = {}
    for amount, seen in noisy.items():
        changes = {
            "entropy_change": seen.entropy - clean.entropy,
            "probability_change": seen.target_probability - clean.target_probability,
        }
        parts[amount] = _similarities(clean, seen) | changes
    return _with_headline("noise", parts)


def score_geometry(clean: Explanation, moved: Mapping[str, Explanation]) -> Columns:
    """Each transformed map against the map of the transformed picture, where it came from inside the frame."""
    return _with_headline("geometry", {name: _compare_transformed(name, clean, seen) for name, seen in moved.items()})


def _compare_transformed(name: str, before: Explanation, after: Explanation) -> Columns:
    if is_shift(name):
        expected = before.comparable.cut(lambda values: stays_inside(values, name))
        found = similarities(expected, ComparableMaps(crop_valid(after.maps, name)))
    else:
        moved = ComparableMaps(transform(before.maps, name))
        found = similarities(moved, after.comparable, valid_mask(before.maps, name))
    return without_degenerate(found, before.degenerate, after.degenerate)


def _similarities(clean: Explanation, variant: Explanation) -> Columns:
    """Of the clean maps and those of a variant."""
    found = similarities(clean.comparable, variant.comparable)
    return without_degenerate(found, clean.degenerate, variant.degenerate)


def score_degradation(clean: Explanation, blurred: Mapping[str, Explanation]) -> Columns:
    """Maps before and after the guided blur of `background` and of `object`. The headline is `background`."""
    before = clean.probability_of(clean.predicted)
    after = {name: seen.probability_of(clean.predicted) for name, seen in blurred.items()}
    parts = {
        name: _similarities(clean, seen) | {"probability_change": after[name] - before}
        for name, seen in blurred.items()
    }
    gap = parts["background"]["ssim"] - parts["object"]["ssim"]
    headline = _with_headline("degradation", {"background": parts["background"]})
    curves = _flatten("degradation", _areas(parts, after, before))
    return headline | _flatten("degradation", parts) | {"degradation.gap": gap} | curves


def _areas(parts: Mapping[str, Columns], probabilities: Mapping[str, Tensor], before: Tensor) -> dict[str, Columns]:
    """Areas under the curves over the share of pixels blurred, most or least salient first, over that share's range.

    At a share of none the similarity is 1 and the probability that of the clean picture.
    """
    found = {}
    for order in ORDERS:
        shares = sorted(float(name.partition(":")[2]) for name in parts if name.startswith(f"{order}:"))
        if shares:
            places = torch.tensor([0.0, *shares], dtype=torch.float64, device=before.device)
            names = [f"{order}:{share}" for share in shares]
            similar = torch.stack([torch.ones_like(before), *(parts[name]["ssim"] for name in names)]).double()
            likely = torch.stack([before, *(probabilities[name] for name in names)]).double()
            found[order] = {
                "ssim": torch.trapezoid(similar, places, dim=0) / shares[-1],
                "probability": torch.trapezoid(likely, places, dim=0) / shares[-1],
            }
    return found


def score_randomisation(clean: Explanation, randomised: Mapping[str, Explanation]) -> Columns:
    """Maps of the model against those of the same class once shares of its layers were drawn anew."""
    parts = {share: _similarities(clean, seen) for share, seen in randomised.items()}
    return _with_headline("randomisation", parts)


def score_human(clean: Explanation, human: Tensor) -> Columns:
    """Maps against where people look, (N, H, W) in [0, 1]."""
    found = without_degenerate(similarities(clean.comparable, ComparableMaps(human)), clean.degenerate)
    return {"human": found["ssim"]} | {f"human.{name}": found[name] for name in POINTWISE}


# The measures that compare a picture's map with those of its variants.
VARIANT_SCORES: Mapping[str, Callable[[Explanation, Mapping[str, Explanation]], Columns]] = {
    "noise": score_noise,
    "geometry": score_geometry,
    "degradation": score_degradation,
    "randomisation": score_randomisation,
}
ORDERS = ("most", "least")


def first_keys(spec: JobSpec) -> dict[str, list[str]]:
    """The variants by measure that wait for no map."""
    keys = {"noise": [str(level) for level in spec.options.noise.levels], "geometry": spec.options.geometry.transforms}
    return {measure: list(names) for measure, names in keys.items() if measure in spec.measures}


def guided_keys(spec: JobSpec) -> dict[str, list[str]]:
    """The variants by measure that the clean picture's map guides."""
    if "degradation" not in spec.measures:
        return {}
    ranked = [f"{order}:{share}" for order in ORDERS for share in spec.options.degradation.curve]
    return {"degradation": ["background", "object", *ranked]}


def randomised_keys(spec: JobSpec) -> dict[str, list[str]]:
    """The shares of layers drawn anew, as the variants of a measure that change the model and not the picture."""
    shares = [str(share) for share in spec.randomised_shares()]
    return {"randomisation": shares} if shares else {}


def score_run(
    spec: JobSpec, clean: Explanation, batch: ImageBatch, variants: Mapping[str, Mapping[str, Explanation]]
) -> Columns:
    """All columns of one run; `variants` has what the model sees in each variant, by measure."""
    columns = score_clean(clean, batch.labels)
    if "entropy" in spec.measures:
        columns |= score_entropy(clean)
    for measure, seen in variants.items():
        columns |= VARIANT_SCORES[measure](clean, seen)
    if "human" in spec.measures:
        assert batch.human is not None, "the plan refuses the measure without human maps"
        columns |= score_human(clean, batch.human)
    return columns


def column_names(spec: JobSpec) -> list[str]:
    """The names of a run's columns, in their order, told from a blank picture's scores."""
    size = spec.cohorts[0].model.preprocessing.size
    blank, zero = torch.zeros(1, *size), torch.zeros(1, dtype=torch.long)
    seen = Explanation(blank, blank, zero.bool(), torch.zeros(1, 2), zero, zero)
    keys = first_keys(spec) | guided_keys(spec) | randomised_keys(spec)
    variants = {measure: dict.fromkeys(names, seen) for measure, names in keys.items()}
    return list(score_run(spec, seen, ImageBatch(blank, [], zero, blank), variants))


def column_names_across(spec: JobSpec, runs: int) -> list[str]:
    """The names of the columns across so many runs, in their order."""
    blank = torch.zeros(runs, 1, 8, 8)
    return list(stability(blank, blank)) if "stability" in spec.measures else []


def _with_headline(measure: str, parts: Mapping[str, Columns]) -> Columns:
    means = {name: mean_over([part[name] for part in parts.values()]) for name in SIMILARITIES}
    secondary = {f"{measure}.{name}": value for name, value in means.items() if name != "ssim"}
    return {measure: means["ssim"], **secondary, **_flatten(measure, parts)}


def _flatten(measure: str, parts: Mapping[str, Columns]) -> Columns:
    return {f"{measure}.{part}.{name}": each for part, found in parts.items() for name, each in found.items()}
