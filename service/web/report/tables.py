"""Builds tables of the differences between cohorts, and figures of measures by class, group and correctness."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.measures import MEASURES
from service.web.formatting import MINUS, number, p_value
from service.web.report.charts import strip
from service.web.report.data import Json, ReportData
from service.web.report.figures import CHANCE_HEADS, Figure, Table, cells, chance_cells, mark
from service.web.report.interpretation import Interpretation, interval, pluralise
from service.web.report.ranking import excuse_high_value, recipes_differ
from service.web.report.svg import domain

MAX_PAIRS = 3  # pairs of cohorts in a table of all measures: three cohorts have three pairs
MAX_DRAWN, MAX_LISTED = 12, 100  # number of strata in charts, and in the table
CORRECTNESS = {"true": "correctly classified", "false": "incorrectly classified"}


@dataclass(frozen=True)
class Difference:
    """The difference of a first cohort minus a second one in a measure, as text."""

    measure: str
    pair: str
    mean: str
    interval: str
    d_z: str
    p: str
    verdict: str
    differs: bool


@dataclass(frozen=True)
class Differences:
    """A table of differences, its title, and whether it is open."""

    title: str
    rows: Sequence[Difference]
    is_open: bool


def difference_tables(data: ReportData) -> list[Differences]:
    """Return one table of all differences. With many cohorts, return a closed table for each measure instead."""
    found = {
        interpretation.title: list(_rows(data, measure, interpretation)) for measure, interpretation in data.measures
        if data.differences(measure)
    }  # fmt: skip
    if all(len(rows) <= MAX_PAIRS for rows in found.values()):
        rows = [row for own in found.values() for row in own]
        return [Differences("Differences between cohorts, image by image", rows, True)] if rows else []
    return [
        Differences(
            f"{title}: {_differing_count(rows)} of {len(rows)} pairs of cohorts differ, image by image", rows, False
        )
        for title, rows in found.items()
    ]


def _differing_count(rows: Sequence[Difference]) -> int:
    return sum(row.differs for row in rows)


def _rows(data: ReportData, measure: str, interpretation: Interpretation) -> Iterator[Difference]:
    for each in data.differences(measure):
        yield Difference(
            measure=interpretation.title, pair=f"{each['a']} {MINUS} {each['b']}", mean=number(each["mean"], 3, True),
            interval=interval(each["ci95"], True), d_z=number(each["d_z"], 2, True),
            p=p_value(each["p_holm"]), verdict=_verdict(data, interpretation, each), differs=bool(each["differs"]),
        )  # fmt: skip


def _verdict(data: ReportData, interpretation: Interpretation, each: Json) -> str:
    """Say whether cohorts differ and which is ahead, or why the higher value is not better."""
    first, _ = interpretation.order((each["a"], each["b"]), each["mean"])
    excuse = excuse_high_value(data, each["measure"], first)
    if excuse and recipes_differ(each):
        return f"yes: {first} is higher, but {excuse}"
    return interpretation.describe_difference(each)


def strata_figures(data: ReportData) -> list[Figure]:
    """Return a figure of each measure by class, group and correctness, if the images have any."""
    found = [_stratum(data, measure, interpretation) for measure, interpretation in data.measures]
    return [each for each in found if each.table.rows]


def _stratum(data: ReportData, measure: str, interpretation: Interpretation) -> Figure:
    charts: list[tuple[str, int, Markup]] = []
    rows, has_chance = [], MEASURES[measure].has_chance
    found = _by_stratum(data, measure)
    drawn, listed = (_most_extreme(found, most) for most in (MAX_DRAWN, MAX_LISTED))
    ends = domain(
        [value for by_cohort in found.values() for each in by_cohort.values() for value in _values(each)]
    )  # one axis for all
    for name in listed:
        marks = []
        for place, cohort in enumerate(data.cohorts):
            each = found[name].get(cohort)
            if each is None:
                continue
            marks.append(mark(place, f"{cohort}, {name}, {pluralise(each['n'], 'value')}", each, interpretation))
            chance = chance_cells(each) if has_chance else []
            rows.append([name, cohort, *cells(each, interpretation), *chance, f"{each['n']:,}"])
        if name in drawn:
            charts.append((name, 0, strip(f"{interpretation.title}, {name}", marks, interpretation.unit, ends, 260)))
    chance_heads = CHANCE_HEADS if has_chance else ()
    heads = ["images", "cohort", interpretation.title.lower(), "95 % interval", "in words", *chance_heads, "values"]
    notes = [_omitted_note(len(found), len(listed))] if len(drawn) < len(found) else []
    return Figure(f"strata-{measure}", interpretation.title, interpretation.question, charts, Table(heads, rows), notes)


def _most_extreme(found: Mapping[str, Mapping[str, Json]], most: int) -> list[str]:
    """Select at most `most` strata: those of correctness, and the classes and groups of extreme means."""
    classes = [name for name in found if name not in CORRECTNESS.values()]
    room = max(most - (len(found) - len(classes)), 0)
    ranked = sorted(classes, key=lambda name: min((each["mean"] or 0.0) for each in found[name].values()))
    selected = {*ranked[: room - room // 2], *ranked[len(ranked) - room // 2 :]} if len(classes) > room else {*ranked}
    return [name for name in found if name in selected or name not in classes]


def _omitted_note(all_: int, listed_count: int) -> str:
    table = (
        f"; the table has {listed_count}, selected in the same way, and the results have all"
        if listed_count < all_
        else ""
    )
    return f"Of {all_} strata, the charts show the classes and groups with the lowest and highest values{table}."


def _values(each: Json) -> list[float]:
    return [value for value in (each["mean"], *(each["ci95"] or ())) if value is not None]


def _by_stratum(data: ReportData, measure: str) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {}
    for cohort in data.cohorts:
        tree = data.results["cohorts"][cohort]["strata"]
        named = {f"class {name}": each for name, each in tree.get("class", {}).items()}
        named |= {
            f"{column} {value}": each for column in data.job.spec.images.groups
            for value, each in tree.get(column, {}).items()
        }  # fmt: skip
        named |= {title: tree["correct"][key] for key, title in CORRECTNESS.items() if "correct" in tree}
        for name, each in named.items():
            if measure in each:
                found.setdefault(name, {})[cohort] = each[measure]
    return found
