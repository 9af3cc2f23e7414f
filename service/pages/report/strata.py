"""Every measure by class and by correctness."""

from collections.abc import Mapping

from markupsafe import Markup

from service.pages.report.charts import strip
from service.pages.report.figures import Figure, Table, cells, mark
from service.pages.report.material import Json, Material
from service.pages.report.svg import domain
from service.pages.report.words import Meaning, counted

MOST_DRAWN, MOST_TOLD = 12, 100  # strata as charts and in the table
CORRECTNESS = {"true": "rightly classified", "false": "wrongly classified"}


def strata(about: Material) -> list[Figure]:
    """Every measure by class and by correctness, where there are labels."""
    found = [_stratum(about, measure, meaning) for measure, meaning in about.measures]
    return [each for each in found if each.table.rows]


def _stratum(about: Material, measure: str, meaning: Meaning) -> Figure:
    charts: list[tuple[str, int, Markup]] = []
    rows = []
    found = _by_stratum(about, measure)
    drawn, told = (_outermost(found, most) for most in (MOST_DRAWN, MOST_TOLD))
    ends = domain([value for by_cohort in found.values() for value in _means(by_cohort)])  # one axis, to be compared
    for name in told:
        marks = []
        for place, cohort in enumerate(about.cohorts):
            each = found[name].get(cohort)
            if each is None:
                continue
            marks.append(mark(place, f"{cohort}, {name}, {counted(each['n'], 'value')}", each, meaning))
            rows.append([name, cohort, *cells(each, meaning), f"{each['n']:,}"])
        if name in drawn:
            charts.append((name, 0, strip(f"{meaning.title}, {name}", marks, meaning.unit, ends, 260)))
    heads = ["pictures", "cohort", meaning.title.lower(), "95 % interval", "in words", "values"]
    notes = [_left_out(len(found), len(told))] if len(drawn) < len(found) else []
    return Figure(f"strata-{measure}", meaning.title, meaning.question, charts, Table(heads, rows), notes)


def _outermost(found: Mapping[str, Mapping[str, Json]], most: int) -> list[str]:
    """At most so many strata, in their order: those of correctness, and the classes of the lowest and highest means."""
    classes = [name for name in found if name not in CORRECTNESS.values()]
    room = max(most - (len(found) - len(classes)), 0)
    ranked = sorted(classes, key=lambda name: min((each["mean"] or 0.0) for each in found[name].values()))
    kept = {*ranked[: room - room // 2], *ranked[len(ranked) - room // 2 :]} if len(classes) > room else {*ranked}
    return [name for name in found if name in kept or name not in classes]


def _left_out(all_: int, told: int) -> str:
    table = f"; the table has {told}, chosen likewise, and the results have all" if told < all_ else ""
    return f"Of {all_} strata, the classes with the lowest and the highest numbers are drawn{table}."


def _means(by_cohort: Mapping[str, Json]) -> list[float]:
    return [v for each in by_cohort.values() for v in (each["mean"], *(each["ci95"] or ())) if v is not None]


def _by_stratum(about: Material, measure: str) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {}
    for cohort in about.cohorts:
        tree = about.results["cohorts"][cohort]["strata"]
        named = {f"class {name}": each for name, each in tree.get("class", {}).items()}
        named |= {told: tree["correct"][key] for key, told in CORRECTNESS.items() if tree}
        for name, each in named.items():
            if measure in each:
                found.setdefault(name, {})[cohort] = each[measure]
    return found
