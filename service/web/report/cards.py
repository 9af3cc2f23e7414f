"""Describes how the page shows an image of the sample. The gallery and the images to review share these cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class CohortView:
    """The maps of an image under a cohort: the mean map over the image, and the grid of all runs and variants."""

    cohort: str
    tone: int
    mean: Markup
    grid: Markup


@dataclass(frozen=True)
class Card:
    """An image with its maps under each cohort; `ranks` has its rank in each ranking that selected it (`why`)."""

    image: int
    name: str
    label: str
    why: Sequence[str]
    ranks: Mapping[str, int]
    plain: Markup
    shown: Sequence[CohortView]
    correctness: str

    @property
    def key(self) -> str:
        """The ID of the card on the page."""
        return f"image-{self.image}"

    @property
    def best_ranking(self) -> str:
        """The ranking in which the image ranks highest."""
        return min(self.why, key=self.ranks.__getitem__)
