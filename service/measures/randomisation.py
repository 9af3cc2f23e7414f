"""Randomisation: whether the map depends on the weights of the model."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from service.measures.measure import Measure, Wording
from service.measures.strict_model import StrictModel

LayerShare = Annotated[float, Field(gt=0, le=1)]

LAYER_SHARES = (0.1, 0.5, 1.0)


class RandomisationOptions(StrictModel):
    """How many of the model's layers get new random weights."""

    shares: Annotated[list[LayerShare], Field(min_length=1, max_length=10)] = list(LAYER_SHARES)  # noqa: RUF012  # pydantic copies it
    """Shares of the model's layers that get new random weights, from the output backwards; at least one layer each."""


def _variants(options: RandomisationOptions) -> Sequence[str]:
    return [str(share) for share in options.shares]


def _is_seeded(_options: Any) -> bool:
    return True


RANDOMISATION = Measure(
    name="randomisation",
    meaning="Mean SSIM between the map and the maps of the same class after layers of the model got new random "
    "weights, from the output backwards; one part per share of layers. Low: the map depends on the model. High: the "
    "method ignores the model.",
    source="cascading randomisation, Adebayo et al. 2018, arXiv 1810.03292",
    wording=Wording(
        "Randomisation",
        "Do the maps change when the model's weights are randomised?",
        low="the maps depend on the model",
        middling="the maps depend partly on the model",
        high="the maps do not depend on the model",
        better=-1,
    ),
    options=RandomisationOptions,
    is_default=False,
    variants=_variants,
    variant_kind="randomised",
    is_seeded=_is_seeded,
)
