"""Draws the figure of stability: the similarity of each pair of runs, with an outlier run framed."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from service.web.formatting import number
from service.web.report.charts import tone
from service.web.report.data import ReportData
from service.web.report.figures import Figure, Table, cohorts_with
from service.web.report.heatmaps import Tile, draw_tiles
from service.web.report.interpretation import INTERPRETATIONS

MEANING = INTERPRETATIONS["stability"]
MIN_GAP = 0.02  # the least gap, in similarity, that makes a run an outlier
Matrix = Sequence[Sequence[float | None]]  # None for a pair of which a map is missing


def stability(data: ReportData) -> Figure:
    """Draw the similarity of the maps of each pair of runs, with one matrix per cohort."""
    charts, rows, notes = [], [], []
    has_outlier = False
    for place, cohort, own in cohorts_with(data, "stability"):
        means = [run["measures"]["stability"]["mean"] for run in data.runs_of(cohort)]
        matrix, names = own["parts"]["matrix"], [f"run {n + 1}" for n in range(len(means))]
        framed = find_outlier_run(means)
        has_outlier = has_outlier or framed is not None
        label = f"{cohort}: similarity of the maps of each pair of runs"
        drawn = draw_tiles(label, list(_tiles(cohort, matrix, framed)), (names, names))
        charts.append((cohort, tone(place), drawn))
        notes += [_note(cohort, means, framed)] if len(means) > 2 else []
        rows += [
            [cohort, which, number(value), MEANING.describe(value)] for which, value in _pairs(matrix, names, means)
        ]
    hint = " Outlier runs are framed." if has_outlier else ""
    lead = f"How similar the maps of independently trained runs are, for each pair of runs.{hint}"
    table = Table(["cohort", "runs", "similarity", "in words"], rows)
    return Figure("stability", "Stability: pairs of runs", lead, charts, table, notes, heat=True)


def find_outlier_run(means: Sequence[float | None]) -> int | None:
    """Return the number of the outlier run, None without one. `means` has each run's mean similarity to the others.

    The lowest run is an outlier if its gap to the next exceeds the range of the others; this takes three runs or more.
    """
    known = [mean for mean in means if mean is not None]
    if len(known) < 3:  # of two runs, neither can be the outlier
        return None
    least, *others = sorted(known)
    apart = max(others[-1] - others[0], MIN_GAP)
    return means.index(least) if others[0] - least > apart else None


def _note(cohort: str, means: Sequence[float | None], framed: int | None) -> str:
    known = [mean for mean in means if mean is not None]
    if not known:
        return f"{cohort}: no run has a map to compare."
    if framed is None:
        return (
            f"{cohort}: no run is an outlier; the runs' mean similarities to the other runs are "
            f"{number(min(known))} to {number(max(known))}."
        )
    others = [mean for place, mean in enumerate(means) if place != framed and mean is not None]
    rest = f"{number(min(others))} to {number(max(others))}"
    return (
        f"{cohort}: run {framed + 1} is an outlier; its mean similarity to the other runs is {number(means[framed])}, "
        f"that of the other runs is {rest}."
    )


def _tiles(cohort: str, matrix: Matrix, framed: int | None) -> Iterator[Tile]:
    for i, line in enumerate(matrix):
        for j, value in enumerate(line):
            if i == j:
                yield Tile(j, i, None, f"{cohort}, run {i + 1} and itself")
            else:
                says = f"{cohort}, run {i + 1} and run {j + 1}: {MEANING.describe_mean(value, None)}"
                yield Tile(j, i, value, says, marked=framed in (i, j))


def _pairs(matrix: Matrix, names: Sequence[str], means: Sequence[float | None]) -> Iterator[tuple[str, float | None]]:
    for i, j in combinations(range(len(names)), 2):
        yield f"{names[i]} and {names[j]}", matrix[i][j]
    if len(names) > 2:
        yield from ((f"{name} and the others", mean) for name, mean in zip(names, means, strict=True))
