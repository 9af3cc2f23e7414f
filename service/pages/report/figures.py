"""What a chart is shown with: its caption, what it tells, and the numbers behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from service.pages.numerals import number
from service.pages.report.charts import Mark, tone
from service.pages.report.material import Json, Material
from service.pages.report.words import Meaning, interval


@dataclass(frozen=True)
class Table:
    """The numbers behind a chart."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """A chart, or several beside each other with their captions, what they show, and the numbers behind them."""

    key: str
    title: str
    lead: str
    charts: Sequence[tuple[str, int, Markup]]
    table: Table
    notes: Sequence[str] = field(default_factory=tuple)
    heat: bool = False


def having(about: Material, measure: str) -> Iterator[tuple[int, str, Json]]:
    """The cohorts that have a measure: number, name, and what the results tell of it."""
    for place, cohort in enumerate(about.cohorts):
        if measure in about.of(cohort):
            yield place, cohort, about.of(cohort)[measure]


def mark(cohort: int, name: str, each: Json | None, meaning: Meaning) -> Mark:
    """A cohort's number in a chart, which tells on hover what it is of and what it says."""
    mean, ends = (each["mean"], each["ci95"]) if each else (None, None)
    return Mark(tone(cohort), mean, ends, f"{name}: {meaning.said(mean, ends)}")


def cells(each: Json, meaning: Meaning) -> list[str]:
    """A mean, its interval and what it says, beside each other in a table."""
    return [number(each["mean"]), interval(each["ci95"]), meaning.of(each["mean"])]
