"""What a chart is shown with: its caption, what it tells, and the numbers behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from service.web.formatting import number
from service.web.report.charts import Mark, tone
from service.web.report.data import Json, ReportData
from service.web.report.interpretation import Interpretation, interval


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


def cohorts_with(data: ReportData, measure: str) -> Iterator[tuple[int, str, Json]]:
    """The cohorts that have a measure: number, name, and what the results tell of it."""
    for place, cohort in enumerate(data.cohorts):
        if measure in data.measures_of(cohort):
            yield place, cohort, data.measures_of(cohort)[measure]


def mark(cohort: int, name: str, each: Json | None, interpretation: Interpretation) -> Mark:
    """A cohort's number in a chart, which tells on hover what it is of and what it says."""
    mean, ends = (each["mean"], each["ci95"]) if each else (None, None)
    return Mark(tone(cohort), mean, ends, f"{name}: {interpretation.describe_mean(mean, ends)}")


def cells(each: Json, interpretation: Interpretation) -> list[str]:
    """A mean, its interval and what it says, beside each other in a table."""
    return [number(each["mean"]), interval(each["ci95"]), interpretation.describe(each["mean"])]
