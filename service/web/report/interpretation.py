"""What a number means, in words. The bands are this page's own: they help to read, and judge nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.measures import MEASURES
from service.measures.measure import Wording
from service.web.formatting import number

SIDES = ("strong", "middling", "weak")


@dataclass(frozen=True)
class Interpretation(Wording):
    """A measure in words: its question, what low, middling and high values say, and which side is better."""

    def describe(self, value: float | None) -> str:
        """What a value says, such as `low: looks at little`."""
        if value is None:
            return "no number"
        if value < self.bands[0]:
            return f"low: {self.low}"
        return f"middling: {self.middling}" if value < self.bands[1] else f"high: {self.high}"

    def side(self, value: float | None) -> str | None:
        """Whether a value is a strong or a weak one, where a side is better."""
        if value is None or not self.better:
            return None
        band = sum(value >= end for end in self.bands)
        return SIDES[2 - band if self.better > 0 else band]

    def describe_mean(self, mean: float | None, ends: Sequence[float] | None) -> str:
        """A mean with its interval and what it says."""
        within = f", 95 % interval {interval(ends)}" if ends else ""
        return f"{number(mean)}{within}; {self.describe(mean)}" if mean is not None else self.describe(mean)

    def order(self, names: tuple[str, str], mean: float) -> tuple[str, str]:
        """Two cohorts, the better of them first, or the higher where neither side is better; `mean` is a - b."""
        first, second = names
        return (first, second) if (mean > 0) == (self.better >= 0) else (second, first)

    def describe_difference(self, names: tuple[str, str], mean: float, ends: Sequence[float] | None) -> str:
        """What a difference of a first cohort less a second one says."""
        if not ends:
            return "not known: there is no interval"
        if ends[0] <= 0 <= ends[1]:
            return "no: the interval holds zero"
        first, _ = self.order(names, mean)
        return f"yes: {first} {'is ahead' if self.better else 'looks at more of the picture'}"


INTERPRETATIONS: Mapping[str, Interpretation] = {
    name: Interpretation(**vars(measure.wording)) for name, measure in MEASURES.items()
}


# Of blurring what the model looks at: its map should not outlive that.
OBJECT = Interpretation(
    "Object blurred", "Does its look move once what it looks at is gone?", "needs what it looks at",
    "needs some of what it looks at", "does not need what it looks at", better=-1,
)  # fmt: skip


def compare_blurs(ends: Sequence[float] | None) -> str:
    """What the map's likeness without the background less that without the object says, by its interval."""
    if not ends:
        return "not known: there is no interval"
    if ends[0] <= 0 <= ends[1]:
        return "it is not known to need what it looks at more than what it ignores"
    one, other = ("what it looks at", "what it ignores") if ends[0] > 0 else ("what it ignores", "what it looks at")
    return f"it needs {one} more than {other}"


SIZES = ((0.2, "a tiny effect"), (0.5, "a small effect"), (0.8, "a middling effect"))


def describe_effect(d: float | None) -> str:
    """How large an effect is, as Cohen has called them."""
    return "" if d is None else next((message for below, message in SIZES if abs(d) < below), "a large effect")


def interval(ends: Sequence[float] | None, sign: bool = False) -> str:
    """A 95 % interval."""
    return "" if ends is None else f"{number(ends[0], 3, sign)} to {number(ends[1], 3, sign)}"


def join_words(things: list[str]) -> str:
    """Things in a row: a, b and c."""
    return things[0] if len(things) == 1 else ", ".join(things[:-1]) + f" and {things[-1]}" if things else ""


def pluralise(count: int, one: str, many: str | None = None) -> str:
    """So many of something."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def correctness_text(right: int, runs: int) -> str:
    """Say how many runs classify an image correctly."""
    if runs == 1:
        return "correctly classified" if right else "incorrectly classified"
    if right in (0, runs):
        return f"all {runs} runs are right" if right else f"all {runs} runs are wrong"
    return f"{right} of {runs} runs {'is' if right == 1 else 'are'} right"
