"""What a number means, in words. The bands are this page's own: they help to read, and judge nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.web.formatting import number

SIDES = ("strong", "middling", "weak")


@dataclass(frozen=True)
class Interpretation:
    """A measure in words: its question, what low, middling and high values say, and which side is better."""

    title: str
    question: str
    low: str
    middling: str
    high: str
    better: int = 1  # -1: low is better; 0: neither
    bands: tuple[float, float] = (0.4, 0.7)
    unit: str = "similarity of maps (SSIM)"

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
    "entropy": Interpretation(
        "Entropy", "How much of the picture does it use?", "looks at little", "looks at some of the picture",
        "looks at much of the picture", better=0, bands=(0.45, 0.75), unit="entropy of maps, 1 at most",
    ),
    "noise": Interpretation(
        "Noise", "Does it keep looking where it looked, once there is noise?", "noise moves its look",
        "noise moves its look in part", "keeps looking where it looked",
    ),
    "geometry": Interpretation(
        "Geometry", "When the picture is moved or turned, does its look follow?", "does not follow the content",
        "follows the content in part", "follows the content",
    ),
    "stability": Interpretation(
        "Stability", "Do independent trainings look at the same things?", "runs look at different things",
        "runs agree in part", "runs look alike",
    ),
    "degradation": Interpretation(
        "Degradation", "Can it do without what it does not look at?", "needs what it does not look at",
        "needs some of what it does not look at", "does not need what it does not look at",
    ),
    "human": Interpretation(
        "Likeness to people", "Does it look where people look?", "looks elsewhere than people",
        "looks in part where people look", "looks where people look",
    ),
    "randomisation": Interpretation(
        "Randomisation", "Do its maps change once the model's weights are drawn anew?", "the map tells of the model",
        "the map tells of the model in part", "the map ignores the model", better=-1,
    ),
}  # fmt: skip


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
    """How many runs are right about a picture."""
    if runs == 1:
        return "rightly classified" if right else "wrongly classified"
    if right in (0, runs):
        return f"all {runs} runs are right" if right else f"all {runs} runs are wrong"
    return f"{right} of {runs} runs {'is' if right == 1 else 'are'} right"
