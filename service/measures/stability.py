"""Stability: whether the maps of independently trained runs of a cohort agree."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.measures.measure import FigureStyle, Measure, Ranking, Wording
from service.measures.sources import CRUM


def _extra_parts(_options: Any) -> Mapping[str, Sequence[str]]:
    return {"resized": ()}


STABILITY = Measure(
    name="stability",
    meaning="Mean SSIM between the native maps of all pairs of runs of a cohort. High: independently trained runs "
    "agree.",
    source=f"Salience Stability Across Training Runs, {CRUM}",
    wording=Wording(
        "Stability",
        "Do independently trained runs attend to the same regions?",
        low="runs attend to different regions",
        middling="runs agree partly",
        high="runs agree",
    ),
    extra_parts=_extra_parts,
    across_runs=True,
    has_chance=True,
    ranking=Ranking("runs agree least", "Most unstable across runs", "the runs' maps agree least"),
    figure=FigureStyle({"stability": "native maps", "resized": "resized maps"}),
)
