"""The available measures, in the order in which pages and tables show them.

`worker.audit.scoring.SCORERS` computes them.
"""

from service.measures.degradation import DEGRADATION
from service.measures.entropy import ENTROPY
from service.measures.geometry import GEOMETRY
from service.measures.human import HUMAN
from service.measures.measure import Measure
from service.measures.noise import NOISE
from service.measures.randomisation import RANDOMISATION
from service.measures.stability import STABILITY

MEASURES: dict[str, Measure] = {
    each.name: each for each in (ENTROPY, NOISE, GEOMETRY, STABILITY, DEGRADATION, HUMAN, RANDOMISATION)
}


def across_first() -> list[Measure]:
    """Return the measures, those that compare the runs of a cohort first. Jobs choose their sample in this order."""
    return sorted(MEASURES.values(), key=lambda measure: not measure.across_runs)
