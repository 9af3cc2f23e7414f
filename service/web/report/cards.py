"""A picture of the sample as the page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class CohortView:
    """A cohort's look at a picture: the mean map over it, and the grid of all runs and variants."""

    cohort: str
    tone: int
    mean: Markup
    grid: Markup


@dataclass(frozen=True)
class Card:
    """A picture: its name and label, what it was chosen for and its rank in that, and each cohort's look at it."""

    image: int
    name: str
    label: str
    why: Sequence[str]
    ranks: Mapping[str, int]
    plain: Markup
    shown: Sequence[CohortView]
    says: str

    @property
    def key(self) -> str:
        """What its elements on the page are named by."""
        return f"image-{self.image}"

    @property
    def home(self) -> str:
        """Of what it was chosen for, that in which it ranks highest."""
        return min(self.why, key=self.ranks.__getitem__)
