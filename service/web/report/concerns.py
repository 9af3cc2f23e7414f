"""Finds the images to review: the first image of each ranking, unless its value is high."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import fmean

from service.measures import MEASURES, across_first
from service.web.formatting import number
from service.web.report.cards import Card
from service.web.report.data import ReportData
from service.web.report.interpretation import INTERPRETATIONS, correctness_text

MAX_CONCERNS = 4  # images that fit on the first screen
WRONG = "most often wrong"
_LOWEST = {each.ranking.why: each.name for each in across_first() if each.ranking}
_ACROSS_RUNS = [why for why, measure in _LOWEST.items() if MEASURES[measure].across_runs]
# The measure, or `correct`, whose lowest value is a reason to review an image.
REASONS: Mapping[str, str] = {**{why: _LOWEST[why] for why in _ACROSS_RUNS}, WRONG: "correct", **_LOWEST}


@dataclass(frozen=True)
class Concern:
    """An image to review, with the rankings that it leads and its values."""

    card: Card
    reasons: Sequence[str]


def find_concerns(data: ReportData, cards: Mapping[str, Card]) -> list[Concern]:
    """Return the first image of each ranking whose value is low; an image may lead several rankings."""
    found: dict[str, list[str]] = {}
    for why, measure in REASONS.items():
        for name, card in cards.items():
            values = _describe(data, card, measure) if card.ranks.get(why, 2) <= 1 else ""
            if values and (name in found or len(found) < MAX_CONCERNS):
                found.setdefault(name, []).append(f"{why}, {values}")
    return [Concern(cards[name], reasons) for name, reasons in found.items()]


def _describe(data: ReportData, card: Card, measure: str) -> str:
    """Describe an image's values by cohort; empty if it has none, or if all are high."""
    by_cohort = dict(_values(data, card, measure))
    if measure == "correct":
        runs = [int(value) for values in by_cohort.values() for value in values]
        return correctness_text(sum(runs), len(runs)) if runs and sum(runs) < len(runs) else ""
    means = {cohort: fmean(values) for cohort, values in by_cohort.items()}
    if not means or min(means.values()) >= INTERPRETATIONS[measure].bands[1]:
        return ""
    if len(means) > 2:  # the lowest and the highest
        ranked = sorted(means, key=means.__getitem__)
        means = {cohort: means[cohort] for cohort in (ranked[0], ranked[-1])}
    return ", ".join(f"{number(mean, 2)}{f' of {cohort}' if len(data.cohorts) > 1 else ''}"
                     for cohort, mean in means.items())  # fmt: skip


def _values(data: ReportData, card: Card, measure: str) -> Iterator[tuple[str, list[float]]]:
    """Yield each cohort that has values of an image, with the value of each run or the value across the runs."""
    for place, cohort in enumerate(data.cohorts):
        own = [
            values[measure]
            for (image, at, _), values in data.values.items()
            if (image, at) == (card.image, place) and not isnan(values.get(measure, nan))
        ]
        if own:
            yield cohort, own
