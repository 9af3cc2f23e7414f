"""Noise: whether the map stays the same when noise is added to the image."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from service.measures.measure import FigureStyle, MapVariants, Measure, Ranking, Wording, canonical_amount
from service.measures.sources import CRUM
from service.measures.strict_model import StrictModel

Amount = Annotated[float, Field(ge=0, le=1)]
Sigma = Annotated[float, Field(gt=0, le=10)]

AMOUNTS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
SIGMAS = (0.05, 0.1, 0.2, 0.4)
PREFIX = "noise:"
VARIANT = re.compile(rf"{PREFIX}[^:]*")


class NoiseOptions(StrictModel):
    """The noise to add, from weak to strong."""

    kind: Literal["salt_pepper", "gaussian"] = "salt_pepper"
    """`salt_pepper` sets a share of the values to black or white; `gaussian` adds normal noise."""
    amounts: Annotated[list[Amount], Field(min_length=1, max_length=50)] = list(AMOUNTS)  # noqa: RUF012  # pydantic copies it
    """Shares of the values that salt and pepper replaces, in [0, 1]."""
    sigmas: Annotated[list[Sigma], Field(min_length=1, max_length=50)] = list(SIGMAS)  # noqa: RUF012  # pydantic copies it
    """Standard deviations of the Gaussian noise, for images in [0, 1]."""

    @property
    def levels(self) -> list[float]:
        """The amounts or the standard deviations, depending on the kind."""
        return self.amounts if self.kind == "salt_pepper" else self.sigmas


def _variants(options: NoiseOptions) -> Sequence[str]:
    return [str(level) for level in options.levels]


def _is_seeded(_options: Any) -> bool:
    return True


def _sample(options: NoiseOptions) -> Sequence[str]:
    levels = sorted(options.levels)
    return [f"{PREFIX}{levels[len(levels) // 2]}"]


def _narrow(options: NoiseOptions, names: Sequence[str]) -> Mapping[str, Any]:
    levels = [float(name.removeprefix(PREFIX)) for name in names]
    return {"kind": options.kind, "amounts" if options.kind == "salt_pepper" else "sigmas": levels}


NOISE = Measure(
    name="noise",
    meaning="Mean SSIM between the clean map and the maps under increasing noise. High: attention stays where it was.",
    source=f"Salience-Assessed Reaction to Noise, {CRUM}",
    wording=Wording(
        "Noise",
        "Does attention stay in place under noise?",
        low="attention shifts under noise",
        middling="attention shifts partly under noise",
        high="attention stays in place under noise",
    ),
    options=NoiseOptions,
    has_chance=True,
    variants=_variants,
    variant_statistics=("entropy_change", "probability_change", "flipped"),
    is_seeded=_is_seeded,
    ranking=Ranking("most disturbed by noise", "Most disturbed by noise", "noise shifts attention most"),
    map_variants=MapVariants(
        syntax="noise:AMOUNT",
        pattern=VARIANT,
        sample=_sample,
        narrow=_narrow,
        prefix=PREFIX,
        canonical=canonical_amount,
        remedies={
            "amounts": "the AMOUNT of noise:AMOUNT, a share of the values, is from 0 to 1",
            "sigmas": "the AMOUNT of noise:AMOUNT, a standard deviation, is above 0 and at most 10",
        },
    ),
    figure=FigureStyle(levels="amount of noise"),
)
