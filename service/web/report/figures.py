"""Panels and figures: the charts of a page, each with its caption, its text and a table of its values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from service.web.formatting import number
from service.web.report.charts import Mark, tone
from service.web.report.data import Json, ReportData
from service.web.report.interpretation import Interpretation, interval
from service.web.report.svg import Axis, domain

CHANCE_HEADS = ("by chance", "corrected for chance")


@dataclass(frozen=True)
class Panel:
    """A measure of all cohorts that have it: a mark and words for each cohort, and the axis that covers the marks."""

    measure: str
    marks: Sequence[Mark]
    words: Sequence[str] = ()

    @property
    def axis(self) -> Axis:
        """An axis in percent that covers the values closely."""
        return Axis.covering(self._values)

    @property
    def ends(self) -> tuple[float, float]:
        """The range of an axis that covers 0 to 1 and all values."""
        return domain(self._values)

    @property
    def _values(self) -> list[float]:
        return [value for mark in self.marks for value in mark.values]


@dataclass(frozen=True)
class Table:
    """The values that a chart shows, as a table."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """Charts side by side, each with its caption and tone (0: none), a text that explains them, and their table."""

    key: str
    title: str
    lead: str
    charts: Sequence[tuple[str, int, Markup]]
    table: Table
    notes: Sequence[str] = field(default_factory=tuple)
    heat: bool = False


def panels(data: ReportData) -> list[Panel]:
    """Return a panel for each measure."""
    return [_panel(data, measure, interpretation) for measure, interpretation in data.measures]


def _panel(data: ReportData, measure: str, interpretation: Interpretation) -> Panel:
    found = list(cohorts_with(data, measure))
    words = [f"{interpretation.describe_number(own)}{_beside_chance(own)}" for _, _, own in found]
    return Panel(measure, [_with_runs(data, measure, *each) for each in found], words)


def _beside_chance(each: Json) -> str:
    if each.get("chance") is None:
        return ""
    by_chance, corrected = chance_cells(each)
    return f"; by chance {by_chance}" + (f", corrected {corrected}" if each["corrected"] is not None else "")


def _with_runs(data: ReportData, measure: str, place: int, cohort: str, own: Json) -> Mark:
    interpretation = dict(data.measures)[measure]
    found = [run["measures"].get(measure, {}).get("mean") for run in data.runs_of(cohort)]
    runs = [value for value in found if value is not None] if len(found) > 1 else []
    words = interpretation.describe_mean(own["mean"], own["ci95"])
    return Mark(cohort, tone(place), own["mean"], own["ci95"], words, runs)


def cohorts_with(data: ReportData, measure: str) -> Iterator[tuple[int, str, Json]]:
    """Yield the index, the name and the measure's results of each cohort that has a measure."""
    for place, cohort in enumerate(data.cohorts):
        if measure in data.measures_of(cohort):
            yield place, cohort, data.measures_of(cohort)[measure]


def mark(cohort: int, name: str, each: Json | None, interpretation: Interpretation) -> Mark:
    """Return a cohort's mark in a chart; on hover, the mark shows its name, its value and the interpretation."""
    mean, ends = (each["mean"], each["ci95"]) if each else (None, None)
    return Mark(name, tone(cohort), mean, ends, interpretation.describe_mean(mean, ends))


def cells(each: Json, interpretation: Interpretation) -> list[str]:
    """Return three cells of a table: a mean, its interval and its interpretation."""
    return [number(each["mean"]), interval(each["ci95"]), interpretation.describe_number(each)]


def chance_cells(each: Json) -> list[str]:
    """Return the cells under CHANCE_HEADS; dashes in results that lack these numbers."""
    ends = interval(each.get("corrected_ci95"))
    return [number(each.get("chance")), number(each.get("corrected")) + (f" ({ends})" if ends else "")]
