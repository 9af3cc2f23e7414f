"""The measures as small multiples: every cohort's mean and interval, what they say, and the runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.pages.numerals import number
from service.pages.report.charts import Mark, strip, tone
from service.pages.report.material import Material
from service.pages.report.svg import domain
from service.pages.report.words import Meaning, interval


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
    meaning: Meaning
    rows: Sequence[Row]
    chart: Markup


def panels(about: Material) -> list[Panel]:
    """All measures, the cohorts side by side."""
    return [_panel(about, measure, meaning) for measure, meaning in about.measures]


def _panel(about: Material, measure: str, meaning: Meaning) -> Panel:
    rows, marks, values = [], [], []
    for place, cohort in enumerate(about.cohorts):
        own = about.of(cohort).get(measure)
        if own is None:
            continue
        words, runs = meaning.of(own["mean"]), _runs(about, cohort, measure)
        rows.append(Row(cohort, tone(place), number(own["mean"]), interval(own["ci95"]), words))
        says = meaning.said(own["mean"], own["ci95"])
        marks.append(Mark(tone(place), own["mean"], own["ci95"], f"{cohort}: {says}", runs))
        values += [v for v in (own["mean"], *(own["ci95"] or ()), *runs) if v is not None]
    return Panel(measure, meaning, rows, strip(meaning.title, marks, meaning.unit, domain(values)))


def _runs(about: Material, cohort: str, measure: str) -> list[float]:
    found = [run["measures"].get(measure, {}).get("mean") for run in about.runs_of(cohort)]
    return [value for value in found if value is not None] if len(found) > 1 else []
