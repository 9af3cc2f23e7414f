"""How the cohorts differ, picture by picture: a table, and of many cohorts a table a measure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.pages.numerals import MINUS, number
from service.pages.report.degraded import excuse
from service.pages.report.leads import differs
from service.pages.report.material import Json, Material
from service.pages.report.words import Meaning, effect, interval

MOST_PAIRS = 3  # that one table of all measures has: those of three cohorts


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


def differences(about: Material) -> list[Differences]:
    """All differences in one table, or in a folded one of each measure, which tells how many pairs differ."""
    found = {
        meaning.title: list(_rows(about, measure, meaning)) for measure, meaning in about.measures
        if about.differences(measure)
    }  # fmt: skip
    if all(len(rows) <= MOST_PAIRS for rows in found.values()):
        rows = [row for own in found.values() for row in own]
        return [Differences("How the cohorts differ, picture by picture", rows, True)] if rows else []
    return [
        Differences(f"{title}: {_apart(rows)} of {len(rows)} pairs of cohorts differ, picture by picture", rows, False)
        for title, rows in found.items()
    ]


def _apart(rows: Sequence[Difference]) -> int:
    return sum(row.differs for row in rows)


def _rows(about: Material, measure: str, meaning: Meaning) -> Iterator[Difference]:
    for each in about.differences(measure):
        yield Difference(
            measure=meaning.title, pair=f"{each['a']} {MINUS} {each['b']}", mean=number(each["mean"], 3, True),
            interval=interval(each["ci95"], True), d=number(each["cohens_d"], 2, True),
            effect=effect(each["cohens_d"]), apart=_said(about, meaning, each), differs=differs(each),
        )  # fmt: skip


def _said(about: Material, meaning: Meaning, each: Json) -> str:
    """What a difference says; of a lead that is no merit, that it is none."""
    names = (each["a"], each["b"])
    first, _ = meaning.order(names, each["mean"])
    told = meaning.apart(names, each["mean"], each["ci95"])
    yet = excuse(about, each["measure"], first)
    return f"yes: {first} is higher, but {yet}" if yet and differs(each) else told
