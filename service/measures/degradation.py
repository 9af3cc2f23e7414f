"""Degradation: whether the model needs regions that its map does not mark as salient."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from service.measures.measure import FigureStyle, MapVariants, Measure, Ranking, Wording, canonical_amount
from service.measures.sources import CRUM
from service.measures.strict_model import StrictModel

Share = Annotated[float, Field(gt=0, lt=1)]

VARIANT = re.compile(r"background|object|(most|least):[^:]*")
BLURS = ("background", "object")
ORDERS = ("most", "least")


class DegradationOptions(StrictModel):
    """Which shares of the pixels to blur beside `background` and `object`."""

    curve: Annotated[list[Share], Field(max_length=20)] = []  # noqa: RUF012  # pydantic copies it
    """Shares of the pixels: for each, the audit also blurs this share of the most salient pixels, and of the least
    salient pixels. Default: none."""


def _variants(options: DegradationOptions) -> Sequence[str]:
    return [*BLURS, *(f"{order}:{share}" for order in ORDERS for share in options.curve)]


def _extra_parts(options: DegradationOptions) -> Mapping[str, Sequence[str]]:
    areas = {order: ("probability",) for order in ORDERS if options.curve}
    return {"gap": (), **areas}


def _is_seeded(options: DegradationOptions) -> bool:
    """Return whether the audit ranks pixels, where the seed breaks ties between equally salient pixels."""
    return bool(options.curve)


def _sample(_options: DegradationOptions) -> Sequence[str]:
    return BLURS


def _narrow(_options: DegradationOptions, names: Sequence[str]) -> Mapping[str, Any]:
    return {"curve": sorted({float(name.partition(":")[2]) for name in names if name not in BLURS})}


DEGRADATION = Measure(
    name="degradation",
    meaning="SSIM between the maps before and after everything outside the salient region is blurred. High: the model "
    "does not need the other regions. `object` blurs the salient region instead; `gap` is `background` minus `object`.",
    source=f"Salience-Based Image Degradation, {CRUM}",
    wording=Wording(
        "Degradation",
        "Does attention stay in place when the background is blurred?",
        low="the model needs regions that are not salient",
        middling="the model partly needs regions that are not salient",
        high="the model does not need regions that are not salient",
    ),
    options=DegradationOptions,
    has_chance=True,
    variants=_variants,
    variant_kind="guided",
    variant_statistics=("probability_change", "flipped"),
    extra_parts=_extra_parts,
    part_bounds={"gap": (-2.0, 2.0)},
    is_seeded=_is_seeded,
    ranking=Ranking(
        "needs regions that are not salient",
        "Needs regions that are not salient",
        "blurring the background shifts attention most",
    ),
    map_variants=MapVariants(
        syntax="degraded (or background), object, or most:SHARE and least:SHARE",
        pattern=VARIANT,
        sample=_sample,
        narrow=_narrow,
        canonical=canonical_amount,
        aliases={"degraded": BLURS[0]},
        headings={"background": "background blurred", "object": "object blurred"},
        remedies={"curve": "the SHARE of most:SHARE and least:SHARE is above 0 and below 1"},
    ),
    control_part="gap",
    figure=FigureStyle(
        {"degradation": "background blurred", "object": "object blurred", "gap": "background minus object"},
        unit="similarity of maps (SSIM),\nor difference of similarities",
    ),
)
