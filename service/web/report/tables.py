"""How the cohorts differ, picture by picture: a table, and of many cohorts a table a measure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.web.formatting import MINUS, number
from service.web.report.data import Json, ReportData
from service.web.report.degraded import excuse_high_value
from service.web.report.interpretation import Interpretation, describe_effect, interval
from service.web.report.ranking import excludes_zero

MAX_PAIRS = 3  # that one table of all measures has: those of three cohorts


@dataclass(frozen=True)
class Difference:
    """A first cohort less a second one by a measure."""

    measure: str
    pair: str
    mean: str
    interval: str
    d: str
    effect: str
    apart: str
    differs: bool


@dataclass(frozen=True)
class Differences:
    """A table of them, what it is headed with, and whether it is open."""

    title: str
    rows: Sequence[Difference]
    is_open: bool


def difference_tables(data: ReportData) -> list[Differences]:
    """All differences in one table, or in a folded one of each measure, which tells how many pairs differ."""
    found = {
        interpretation.title: list(_rows(data, measure, interpretation)) for measure, interpretation in data.measures
        if data.differences(measure)
    }  # fmt: skip
    if all(len(rows) <= MAX_PAIRS for rows in found.values()):
        rows = [row for own in found.values() for row in own]
        return [Differences("How the cohorts differ, picture by picture", rows, True)] if rows else []
    return [
        Differences(f"{title}: {_apart(rows)} of {len(rows)} pairs of cohorts differ, picture by picture", rows, False)
        for title, rows in found.items()
    ]


def _apart(rows: Sequence[Difference]) -> int:
    return sum(row.differs for row in rows)


def _rows(data: ReportData, measure: str, interpretation: Interpretation) -> Iterator[Difference]:
    for each in data.differences(measure):
        yield Difference(
            measure=interpretation.title, pair=f"{each['a']} {MINUS} {each['b']}", mean=number(each["mean"], 3, True),
            interval=interval(each["ci95"], True), d=number(each["cohens_d"], 2, True),
            effect=describe_effect(each["cohens_d"]), apart=_said(data, interpretation, each),
            differs=excludes_zero(each),
        )  # fmt: skip


def _said(data: ReportData, interpretation: Interpretation, each: Json) -> str:
    """What a difference says; of a lead that is no merit, that it is none."""
    names = (each["a"], each["b"])
    first, _ = interpretation.order(names, each["mean"])
    message = interpretation.describe_difference(names, each["mean"], each["ci95"])
    yet = excuse_high_value(data, each["measure"], first)
    return f"yes: {first} is higher, but {yet}" if yet and excludes_zero(each) else message
