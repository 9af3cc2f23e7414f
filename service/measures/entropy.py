"""Entropy: how many grey levels the native map uses."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.measures.measure import UNIT, FigureStyle, Measure, Wording
from service.measures.sources import CRUM


def _extra_parts(_options: Any) -> Mapping[str, Sequence[str]]:
    return {"spatial": ()}


ENTROPY = Measure(
    name="entropy",
    meaning="How many grey levels the native map uses: Shannon entropy of its 256-level histogram, divided by its "
    "largest possible value. Low: salience is concentrated. The part `spatial` measures how widely salience spreads.",
    source=f"Salience Entropy, {CRUM}",
    wording=Wording(
        "Entropy",
        "How much of the image does the model use?",
        low="uses little of the image",
        middling="uses some of the image",
        high="uses much of the image",
        better=0,
        bands=(0.45, 0.75),
        unit="entropy of maps, at most 1",
    ),
    bounds=UNIT,
    statistics=(),
    extra_parts=_extra_parts,
    is_compared_out_of_set=True,
    figure=FigureStyle({"entropy": "grey levels", "spatial": "spatial"}, unit="entropy, share of the largest possible"),
)
