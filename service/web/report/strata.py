"""Every measure by class and by correctness."""

from collections.abc import Mapping

from markupsafe import Markup

from service.web.report.charts import strip
from service.web.report.data import Json, ReportData
from service.web.report.figures import Figure, Table, cells, mark
from service.web.report.interpretation import Interpretation, pluralise
from service.web.report.svg import domain

MAX_DRAWN, MAX_LISTED = 12, 100  # strata as charts and in the table
CORRECTNESS = {"true": "rightly classified", "false": "wrongly classified"}


def strata_figures(data: ReportData) -> list[Figure]:
    """Every measure by class and by correctness, where there are labels."""
    found = [_stratum(data, measure, interpretation) for measure, interpretation in data.measures]
    return [each for each in found if each.table.rows]


def _stratum(data: ReportData, measure: str, interpretation: Interpretation) -> Figure:
    charts: list[tuple[str, int, Markup]] = []
    rows = []
    found = _by_stratum(data, measure)
    drawn, listed = (_most_extreme(found, most) for most in (MAX_DRAWN, MAX_LISTED))
    ends = domain([value for by_cohort in found.values() for value in _means(by_cohort)])  # one axis, to be compared
    for name in listed:
        marks = []
        for place, cohort in enumerate(data.cohorts):
            each = found[name].get(cohort)
            if each is None:
                continue
            marks.append(mark(place, f"{cohort}, {name}, {pluralise(each['n'], 'value')}", each, interpretation))
            rows.append([name, cohort, *cells(each, interpretation), f"{each['n']:,}"])
        if name in drawn:
            charts.append((name, 0, strip(f"{interpretation.title}, {name}", marks, interpretation.unit, ends, 260)))
    heads = ["pictures", "cohort", interpretation.title.lower(), "95 % interval", "in words", "values"]
    notes = [_omitted_note(len(found), len(listed))] if len(drawn) < len(found) else []
    return Figure(f"strata-{measure}", interpretation.title, interpretation.question, charts, Table(heads, rows), notes)


def _most_extreme(found: Mapping[str, Mapping[str, Json]], most: int) -> list[str]:
    """At most so many strata, in their order: those of correctness, and the classes of the lowest and highest means."""
    classes = [name for name in found if name not in CORRECTNESS.values()]
    room = max(most - (len(found) - len(classes)), 0)
    ranked = sorted(classes, key=lambda name: min((each["mean"] or 0.0) for each in found[name].values()))
    kept = {*ranked[: room - room // 2], *ranked[len(ranked) - room // 2 :]} if len(classes) > room else {*ranked}
    return [name for name in found if name in kept or name not in classes]


def _omitted_note(all_: int, listed_count: int) -> str:
    table = f"; the table has {listed_count}, chosen likewise, and the results have all" if listed_count < all_ else ""
    return f"Of {all_} strata, the classes with the lowest and the highest numbers are drawn{table}."


def _means(by_cohort: Mapping[str, Json]) -> list[float]:
    return [v for each in by_cohort.values() for v in (each["mean"], *(each["ci95"] or ())) if v is not None]


def _by_stratum(data: ReportData, measure: str) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {}
    for cohort in data.cohorts:
        tree = data.results["cohorts"][cohort]["strata"]
        named = {f"class {name}": each for name, each in tree.get("class", {}).items()}
        named |= {title: tree["correct"][key] for key, title in CORRECTNESS.items() if tree}
        for name, each in named.items():
            if measure in each:
                found.setdefault(name, {})[cohort] = each[measure]
    return found
