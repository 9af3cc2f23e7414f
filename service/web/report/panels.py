"""The measures as small multiples: every cohort's mean and interval, what they say, and the runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.web.formatting import number
from service.web.report.charts import Mark, strip, tone
from service.web.report.data import ReportData
from service.web.report.interpretation import Interpretation, interval
from service.web.report.svg import domain


@dataclass(frozen=True)
class Row:
    """A cohort's number: its name and tone, mean, interval and words."""

    name: str
    tone: int
    mean: str
    ends: str
    words: str


@dataclass(frozen=True)
class Panel:
    """A measure of all cohorts."""

    measure: str
    meaning: Interpretation
    rows: Sequence[Row]
    chart: Markup


def panels(data: ReportData) -> list[Panel]:
    """All measures, the cohorts side by side."""
    return [_panel(data, measure, interpretation) for measure, interpretation in data.measures]


def _panel(data: ReportData, measure: str, interpretation: Interpretation) -> Panel:
    rows, marks, values = [], [], []
    for place, cohort in enumerate(data.cohorts):
        own = data.measures_of(cohort).get(measure)
        if own is None:
            continue
        words, runs = interpretation.describe(own["mean"]), _runs(data, cohort, measure)
        rows.append(Row(cohort, tone(place), number(own["mean"]), interval(own["ci95"]), words))
        says = interpretation.describe_mean(own["mean"], own["ci95"])
        marks.append(Mark(tone(place), own["mean"], own["ci95"], f"{cohort}: {says}", runs))
        values += [v for v in (own["mean"], *(own["ci95"] or ()), *runs) if v is not None]
    return Panel(measure, interpretation, rows, strip(interpretation.title, marks, interpretation.unit, domain(values)))


def _runs(data: ReportData, cohort: str, measure: str) -> list[float]:
    found = [run["measures"].get(measure, {}).get("mean") for run in data.runs_of(cohort)]
    return [value for value in found if value is not None] if len(found) > 1 else []
