"""Draws the mean map of each cohort and class, and compares the values of two image sets."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.web.formatting import number
from service.web.report.charts import tone
from service.web.report.data import ReportData
from service.web.report.heatmaps import draw_mean_map
from service.web.report.interpretation import interval, pluralise


@dataclass(frozen=True)
class MeanMaps:
    """A cohort's mean maps, each with its caption."""

    cohort: str
    tone: int
    maps: Sequence[tuple[str, str, Markup]]


def mean_maps(data: ReportData) -> list[MeanMaps]:
    """Return the mean maps of every cohort: of all images, then of each class."""
    found = []
    for place, cohort in enumerate(data.cohorts):
        size = data.job.spec.cohorts[place].model.preprocessing.size
        maps = []
        for total in (each for each in data.sums if each.cohort == place):
            rows = total.mean(size)
            name = total.label or "all images"
            caption = f"{pluralise(total.count, 'map')}, brightest {max(map(max, rows)):.2f}"
            maps.append(
                (name, caption, draw_mean_map(f"Mean map of {cohort}, {name}, over {caption}; {_where(rows)}", rows))
            )
        if maps:
            found.append(MeanMaps(cohort, tone(place), maps))
    return found


def out_of_set(data: ReportData) -> list[list[str]]:
    """Compare values on the out-of-set images with values on the audited set: a row per cohort and measure."""
    rows = []
    for cohort in data.cohorts:
        for name, each in data.results["cohorts"][cohort].get("out_of_set", {}).items():
            if isinstance(each, dict) and "wasserstein" in each:
                difference = each["difference"]
                apart = number(each["wasserstein"]), number(each["kolmogorov_smirnov"])
                rows.append(
                    [cohort, name, number(difference["mean"], 3, True), interval(difference["ci95"], True), *apart]
                )
    return rows


def _where(rows: Sequence[Sequence[float]]) -> str:
    """Say where a map is brightest."""
    height, width = len(rows), len(rows[0])
    row, column = max(((r, c) for r in range(height) for c in range(width)), key=lambda at: rows[at[0]][at[1]])
    down = ("top", "middle", "bottom")[min(2, 3 * row // height)]
    across = ("left", "centre", "right")[min(2, 3 * column // width)]
    return f"brightest at the {down} {across}"
