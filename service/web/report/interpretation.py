"""Describes measured values in words.

The bands of low, middling and high are a convention: no source or measurement sets them. No verdict depends on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.measures import MEASURES
from service.measures.measure import Wording
from service.web.formatting import number

SIDES = ("strong", "middling", "weak")


@dataclass(frozen=True)
class Interpretation(Wording):
    """A measure in words: its question, what low, middling and high values mean, and which side is better."""

    def describe(self, value: float | None) -> str:
        """Return what a value means, such as `low: uses little of the image`."""
        if value is None:
            return "no number"
        if value < self.bands[0]:
            return f"low: {self.low}"
        return f"middling: {self.middling}" if value < self.bands[1] else f"high: {self.high}"

    def describe_number(self, each: Mapping[str, Any]) -> str:
        """Describe the mean of a number of the results, and add a caution if unrelated images have similar maps too."""
        excuse = self.excuse_by_chance(each)
        return self.describe(each["mean"]) + (f", but {excuse}" if excuse else "")

    def excuse_by_chance(self, each: Mapping[str, Any]) -> str:
        """Return a caution if a similarity is not low, but the maps of unrelated images are as similar.

        `each` is a number of the results. The text is empty if no caution is needed.
        """
        if each["mean"] is None or each["mean"] < self.bands[0] or each.get("chance") is None:
            return ""
        if each["corrected"] is None:
            return "maps hardly depend on the image"
        ends = each["corrected_ci95"]
        return "not clearly more than by chance" if ends and ends[0] <= 0 else ""

    def side(self, value: float | None) -> str | None:
        """Return the side of SIDES on which a value lies; None without a value, or if neither side is better."""
        if value is None or not self.better:
            return None
        band = sum(value >= end for end in self.bands)
        return SIDES[2 - band if self.better > 0 else band]

    def describe_mean(self, mean: float | None, ends: Sequence[float] | None) -> str:
        """Return a mean with its interval and its meaning."""
        within = f", 95 % interval {interval(ends)}" if ends else ""
        return f"{number(mean)}{within}; {self.describe(mean)}" if mean is not None else self.describe(mean)

    def order(self, names: tuple[str, str], mean: float) -> tuple[str, str]:
        """Return two cohorts, the better first, or the higher first if neither side is better.

        `mean` is the value of the first cohort minus that of the second.
        """
        first, second = names
        return (first, second) if (mean > 0) == (self.better >= 0) else (second, first)

    def describe_difference(self, each: Mapping[str, Any]) -> str:
        """Return in words whether two cohorts differ and which is ahead, or, for single runs, whether models differ."""
        if each["differs"] is None:
            return "not available" if each["ci95"] else "unknown: there is no interval"
        if not each["differs"]:
            return "no: not after correction for the number of measures"
        if each["compares"] == "models":
            return "yes: these two models differ"
        first, _ = self.order((each["a"], each["b"]), each["mean"])
        return f"yes: {first} {'is ahead' if self.better else 'uses more of the image'}"


INTERPRETATIONS: Mapping[str, Interpretation] = {
    name: Interpretation(**vars(measure.wording)) for name, measure in MEASURES.items()
}


# Interprets the similarity of maps after the salient region is blurred. A faithful map changes, so low is better.
OBJECT = Interpretation(
    "Object blurred", "Does attention shift when the salient region is blurred?", "the model needs the salient region",
    "the model partly needs the salient region", "the model does not need the salient region", better=-1,
)  # fmt: skip


def compare_blurs(ends: Sequence[float] | None) -> str:
    """Say which blurred region the model needs more.

    `ends` is the interval of the similarity with the background blurred minus that with the object blurred.
    """
    if not ends:
        return "unknown: there is no interval"
    if ends[0] <= 0 <= ends[1]:
        return "it is unknown whether the model needs the salient region more than the background"
    one, other = ("salient region", "background") if ends[0] > 0 else ("background", "salient region")
    return f"the model needs the {one} more than the {other}"


def interval(ends: Sequence[float] | None, sign: bool = False) -> str:
    """Return an interval as text; empty if there is none."""
    return "" if ends is None else f"{number(ends[0], 3, sign)} to {number(ends[1], 3, sign)}"


def join_words(things: list[str]) -> str:
    """Join names as in `a, b and c`."""
    return things[0] if len(things) == 1 else ", ".join(things[:-1]) + f" and {things[-1]}" if things else ""


def pluralise(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun in the singular or the plural."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def correctness_text(right: int, runs: int) -> str:
    """Say how many runs classify an image correctly."""
    if runs == 1:
        return "correctly classified" if right else "incorrectly classified"
    if right in (0, runs):
        return f"all {runs} runs are correct" if right else f"all {runs} runs are wrong"
    return f"{right} of {runs} runs {'is' if right == 1 else 'are'} correct"
