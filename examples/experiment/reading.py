"""Writes the sentences of docs/experiment.md: an interpretation of the numbers, and a comparison with publications."""

from collections.abc import Iterator, Mapping

import numpy as np

from examples.experiment.cohorts import PAIR, Accuracies
from service.spec.model import Json

INTRODUCTION = """# The experiment

Crum et al. (arXiv 2303.11969) validate their measures by comparing two cohorts of detectors of synthetic faces: one
trained with cross-entropy alone, one guided by human salience with CYBORG's loss. This page makes the same comparison
on synthetic data, in which the places of all forgeries are known. `make experiment` writes this page;
`examples/experiment/README.md` explains every step.

A synthetic face has one or two forgeries in known places: eyes that do not match, a mouth whose halves do not meet,
a frayed hair boundary. In training, stripes in the background agree with the label of 75 % of the images; in the
audited images they carry no information.
"""
LIMITS = """### What to keep in mind

- Intervals describe the ways of training and not these models alone, so few runs make them wide (see
  [Statistics](explanation/statistics.md)).
- The loss of guided training rewards maps like those of people. So it is no finding that maps of guided models agree
  with people and with each other. The finding is that guided models rely less on the stripes, as their accuracy without
  stripes shows. Human maps of other images have nearly the same effect: see "Which part of
  guidance helps" in `examples/experiment/README.md`.
- `degradation` smooths the guiding map with a sigma of 5 pixels, chosen for images of 224 pixels. On images of 64
  pixels this removes a small salient spot. The variant `object` then hardly blurs the spot, so its similarity stays
  near 1 and `gap` is negative.
- The faces are drawings, the networks are small, and the maps have 16 x 16 cells. Results on
  other data may differ.
"""
# What a higher value of a measure means for a cohort.
HIGHER: Mapping[str, str] = {
    "entropy": "its maps use more grey levels",
    "noise": "its maps change less under noise",
    "geometry": "its maps follow transformations better",
    "stability": "its runs agree better with each other",
    "degradation": "its maps change less when the regions that are not salient are blurred",
    "human": "its maps resemble human maps more",
}
# For each measure, the published value of the guided cohort relative to the other cohort, and its source.
PUBLISHED: Mapping[str, tuple[str, str]] = {
    "entropy": (
        "lower",
        "the salience of models trained with human guidance has the lower entropy (Piland et al. 2023, arXiv "
        "2303.00818, abstract)",
    ),
    "stability": (
        "higher",
        "the published mean maps of ten runs each follow the mean human map for all guided runs (CYBORG, Boyd et al. "
        "2023, arXiv 2112.00686, and its repository)",
    ),
}
NAMES = {"cross-entropy": "the cross-entropy cohort", "human-guided": "the human-guided cohort"}


def read_accuracies(accuracies: Accuracies) -> str:
    """Return a sentence on how much each cohort relies on the shortcut."""
    plain, guided = (
        {name: float(np.mean([run[name] for run in accuracies[recipe]])) for name in accuracies[recipe][0]}
        for recipe in PAIR
    )
    lost = [each["as in training"] - each["no shortcut"] for each in (plain, guided)]
    return (
        f"Without the shortcut, cross-entropy loses {lost[0]:.3f} of its accuracy and human guidance {lost[1]:.3f}: "
        f"{'the guided models rely' if lost[1] < lost[0] else 'the guided models do not rely'} less on the stripes, "
        "as the mean accuracies show.\n"
    )


def read_differences(results: Json) -> Iterator[str]:
    """Yield a sentence for each measure: whether it separates the two cohorts, and in which direction."""
    for measure in HIGHER:
        yield f"- {_read(_difference(results, measure))}"
    yield ""


def read_published(results: Json) -> Iterator[str]:
    """Yield a comparison with the published results of CYBORG."""
    yield "### Compared with published results\n"
    for measure, (direction, source) in PUBLISHED.items():
        difference = _difference(results, measure)
        found = "lower" if difference["mean"] > 0 else "higher"
        found = found if difference["differs"] else "not clearly different"
        verdict = "The same holds in this experiment" if found == direction else f"In this experiment it is {found}"
        yield f"- `{measure}` {direction}: {source}. {verdict}."
    yield (
        "- The paper itself says that the two kinds of models have different, interpretable maps (arXiv 2303.11969, "
        "abstract).\n  It claims a difference, and not that each measure must be higher or lower on other data.\n"
    )


def _difference(results: Json, measure: str) -> Json:
    """Return the difference between the cross-entropy cohort and the guided cohort."""
    found: Json = next(
        each for each in results["differences"] if (each["a"], each["b"]) == PAIR and each["measure"] == measure
    )
    return found


def _read(difference: Json) -> str:
    measure = difference["measure"]
    if not difference["differs"]:
        return f"`{measure}` does not separate the cohorts, after correction for the number of measures."
    name = NAMES[difference["a" if difference["mean"] > 0 else "b"]]
    return (
        f"`{measure}` separates the cohorts: {name} has the higher value, by {abs(difference['mean']):.3f}; "
        f"{HIGHER[measure]}."
    )
