"""A measure of some cohorts as a panel: each cohort's mean and interval on one axis. Pure: results in, panels out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.measures import MEASURES
from service.web.report.axis import Axis

TONES = 6  # that the style has

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Mark:
    """A cohort's number: its mean, its 95 % interval where it has one, and the tone it is drawn in."""

    label: str
    tone: str
    mean: float | None
    interval: tuple[float, float] | None
    images: int


@dataclass(frozen=True)
class Panel:
    """A measure, what it tells, its axis and the marks of all cohorts that have it."""

    measure: str
    meaning: str
    axis: Axis
    marks: Sequence[Mark]

    def intervals_disjoint(self, one: Mark, other: Mark) -> bool | None:
        """Whether two marks' intervals do not touch; None where one of them has none."""
        if one.interval is None or other.interval is None:
            return None
        return one.interval[1] < other.interval[0] or other.interval[1] < one.interval[0]


@dataclass(frozen=True)
class ShownCohort:
    """A cohort of some results, and how it is told apart."""

    label: str
    tone: str
    cohort: Json


def panels(shown: Sequence[ShownCohort]) -> list[Panel]:
    """One panel a measure that any of the cohorts has, in the catalogue's order."""
    had = {name for each in shown for name in each.cohort["measures"]}
    return [_panel(name, shown) for name in MEASURES if name in had]


def tones(results: Json) -> list[ShownCohort]:
    """A job's own cohorts, each in a tone of its own."""
    cohorts = results["cohorts"].items()
    return [ShownCohort(name, f"tone-{number % TONES + 1}", each) for number, (name, each) in enumerate(cohorts)]


def _panel(measure: str, shown: Sequence[ShownCohort]) -> Panel:
    marks = [_mark(each, each.cohort["measures"][measure]) for each in shown if measure in each.cohort["measures"]]
    values = [value for mark in marks for value in (mark.mean, *(mark.interval or ())) if value is not None]
    return Panel(measure, MEASURES[measure].meaning, Axis.covering(values), marks)


def _mark(shown: ShownCohort, statistics: Json) -> Mark:
    interval = statistics["ci95"]
    return Mark(
        shown.label, shown.tone, statistics["mean"], (interval[0], interval[1]) if interval else None, statistics["n"]
    )
