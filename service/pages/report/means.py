"""The mean map of each cohort and class, and how two image sets compare."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.pages.numerals import number
from service.pages.report.charts import tone
from service.pages.report.heat import mean_map
from service.pages.report.material import Material
from service.pages.report.words import counted, interval


@dataclass(frozen=True)
class MeanMaps:
    """A cohort's mean maps, each with its caption."""

    cohort: str
    tone: int
    maps: Sequence[tuple[str, str, Markup]]


def mean_maps(about: Material) -> list[MeanMaps]:
    """Of every cohort: of all pictures, then of each class."""
    found = []
    for place, cohort in enumerate(about.cohorts):
        size = about.job.spec.cohorts[place].model.preprocessing.size
        maps = []
        for total in (each for each in about.sums if each.cohort == place):
            rows = total.mean(size)
            name = total.label or "all pictures"
            told = f"{counted(total.count, 'map')}, brightest {max(map(max, rows)):.2f}"
            maps.append((name, told, mean_map(f"Mean map of {cohort}, {name}, over {told}; {_where(rows)}", rows)))
        if maps:
            found.append(MeanMaps(cohort, tone(place), maps))
    return found


def out_of_set(about: Material) -> list[list[str]]:
    """How each cohort's look at the second image set differs from its look at the first, a row a number."""
    rows = []
    for cohort in about.cohorts:
        for name, each in about.results["cohorts"][cohort].get("out_of_set", {}).items():
            if isinstance(each, dict) and "wasserstein" in each:
                told = each["difference"]
                apart = number(each["wasserstein"]), number(each["kolmogorov_smirnov"])
                rows.append([cohort, name, number(told["mean"], 3, True), interval(told["ci95"], True), *apart])
    return rows


def _where(rows: Sequence[Sequence[float]]) -> str:
    """Where a map is brightest, in words."""
    height, width = len(rows), len(rows[0])
    row, column = max(((r, c) for r in range(height) for c in range(width)), key=lambda at: rows[at[0]][at[1]])
    down = ("top", "middle", "bottom")[min(2, 3 * row // height)]
    across = ("left", "centre", "right")[min(2, 3 * column // width)]
    return f"brightest at the {down} {across}"
