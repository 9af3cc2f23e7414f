"""Every measure by class and by correctness."""

from collections.abc import Mapping

from markupsafe import Markup

from service.pages.report.charts import strip
from service.pages.report.figures import Figure, Table, cells, mark
from service.pages.report.material import Json, Material
from service.pages.report.svg import domain
from service.pages.report.words import Meaning, counted

FEW_STRATA = 12


def strata(about: Material) -> list[Figure]:
    """Every measure by class and by correctness, where there are labels."""
    found = [_stratum(about, measure, meaning) for measure, meaning in about.measures]
    return [each for each in found if each.table.rows]


def _stratum(about: Material, measure: str, meaning: Meaning) -> Figure:
    charts: list[tuple[str, int, Markup]] = []
    rows = []
    found = _by_stratum(about, measure)
    ends = domain([value for by_cohort in found.values() for value in _means(by_cohort)])  # one axis, to be compared
    for name, by_cohort in found.items():
        marks = []
        for place, cohort in enumerate(about.cohorts):
            each = by_cohort.get(cohort)
            if each is None:
                continue
            marks.append(mark(place, f"{cohort}, {name}, {counted(each['n'], 'value')}", each, meaning))
            rows.append([name, cohort, *cells(each, meaning), f"{each['n']:,}"])
        if len(charts) < FEW_STRATA:
            charts.append((name, 0, strip(f"{meaning.title}, {name}", marks, meaning.unit, ends, 260)))
    heads = ["pictures", "cohort", meaning.title.lower(), "95 % interval", "in words", "values"]
    return Figure(f"strata-{measure}", meaning.title, meaning.question, charts, Table(heads, rows))


def _means(by_cohort: Mapping[str, Json]) -> list[float]:
    return [v for each in by_cohort.values() for v in (each["mean"], *(each["ci95"] or ())) if v is not None]


def _by_stratum(about: Material, measure: str) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {}
    for cohort in about.cohorts:
        tree = about.results["cohorts"][cohort]["strata"]
        named = {f"class {name}": each for name, each in tree.get("class", {}).items()}
        named |= (
            {
                told: tree["correct"][key]
                for key, told in (("true", "rightly classified"), ("false", "wrongly classified"))
            }
            if tree
            else {}
        )
        for name, each in named.items():
            if measure in each:
                found.setdefault(name, {})[cohort] = each[measure]
    return found
