"""What the numbers of an experiment say, in words that follow from them, beside what was published."""

from collections.abc import Iterator, Mapping

import numpy as np

from examples.experiment.cohorts import PAIR, Accuracies
from service.domain import Json

INTRODUCTION = """# The paper's experiment

Crum et al. (arXiv 2303.11969) validate their measures by comparing two cohorts of detectors of synthetic faces: one
trained with cross-entropy alone, one guided by human salience with CYBORG's loss. This page is the same comparison on
data made here, where the truth is known. `make experiment` writes it anew; `examples/experiment/README.md` explains
every step.

A synthetic face has one or two forgeries in known places: eyes that do not match, a mouth whose halves do not meet,
a frayed hair boundary. In training, stripes in the background go with the label of 75 % of the pictures; in the
pictures audited they tell nothing.
"""
REPORTED = """### Beside what was published

- Entropy: the salience of models trained with human guidance has the lower entropy (Piland et al. 2023, arXiv
  2303.00818, abstract).
- Stability: CYBORG (Boyd et al. 2023, arXiv 2112.00686, and its repository) shows the mean maps of ten runs for each
  way of training; those of the guided runs follow the mean human map.
- All measures: the paper says that its two kinds of models have different, interpretable maps; a difference is what
  it claims to find. It is no claim that each measure must come out higher or lower on other data.
"""
LIMITS = """### What to keep in mind

- So few runs make intervals too narrow: about 0.91 of them hold the truth for five runs and 0.86 for three (see
  `performance.md`).
- Guidance decides where the map lies, by its loss; that it then agrees with people is no discovery. That the guided
  models need the background less, by their accuracy without the shortcut, is one.
- The faces are drawings, the networks are small, and the maps have 16 x 16 cells. What holds here need not hold
  elsewhere.
"""
# What a higher value says of a cohort.
HIGHER: Mapping[str, str] = {
    "entropy": "its maps use more grey levels",
    "noise": "its maps change less under noise",
    "geometry": "its maps follow transformations better",
    "stability": "its runs agree better with each other",
    "degradation": "its maps change less when what they ignore is blurred away",
    "human": "its maps resemble people's more",
}
NAMES = {"cross-entropy": "the cross-entropy cohort", "human-guided": "the human-guided cohort"}


def read_accuracies(accuracies: Accuracies) -> str:
    """What the accuracies say of the shortcut."""
    plain, guided = (
        {name: float(np.mean([run[name] for run in accuracies[recipe]])) for name in accuracies[recipe][0]}
        for recipe in PAIR
    )
    lost = [each["as in training"] - each["no shortcut"] for each in (plain, guided)]
    return (
        f"Without the shortcut, cross-entropy loses {lost[0]:.3f} of its accuracy and human guidance {lost[1]:.3f}: "
        f"{'guidance makes the models lean on the stripes less' if lost[1] < lost[0] else 'guidance does not help'}.\n"
    )


def read_differences(results: Json) -> Iterator[str]:
    """A sentence a measure: whether it separates the two cohorts, and in which direction."""
    for each in results["differences"]:
        if (each["a"], each["b"]) == PAIR and each["measure"] in HIGHER:
            yield f"- {_read(each)}"
    yield ""


def _read(difference: Json) -> str:
    measure, (low, high) = difference["measure"], difference["ci95"]
    if low <= 0 <= high:
        return f"`{measure}` does not separate the cohorts: the interval of their difference holds 0."
    name = NAMES[difference["a" if low > 0 else "b"]]
    return (
        f"`{measure}` separates the cohorts: {name} has the higher value, by {abs(difference['mean']):.3f}; "
        f"{HIGHER[measure]}."
    )
