"""Draws detection performance: a table of numbers, a DET plot, and a reliability diagram."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist

from service.measures.performance import PERFORMANCE
from service.web.formatting import number
from service.web.report.charts import Ticks, plane, tone
from service.web.report.data import Json, ReportData
from service.web.report.figures import Figure, Table
from service.web.report.interpretation import interval

QUANTILE = NormalDist().inv_cdf
DET_ENDS = (0.001, 0.8)
DET_TICKS: Ticks = [(QUANTILE(share), f"{100 * share:g} %") for share in (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)]
SHARE_TICKS: Ticks = [(share / 5, f"{20 * share} %") for share in range(6)]


def performance_figures(data: ReportData) -> list[Figure]:
    """Return the figure of detection performance, or an empty list if the results have no detection performance."""
    found = {cohort: own for cohort in data.cohorts if (own := _branch(data, cohort))["n"]}
    if not found:
        return []
    tones = {cohort: tone(place) for place, cohort in enumerate(data.cohorts)}
    det = {tones[cohort]: _det_points(own["det"]) for cohort, own in found.items() if own["det"]}
    bins = {tones[cohort]: [(each["confidence"], each["accuracy"]) for each in own["reliability"]]
            for cohort, own in found.items()}  # fmt: skip
    charts = [("Reliability", 0, plane("Reliability", bins, SHARE_TICKS, ("confidence", "accuracy")))]
    if det:
        charts.insert(0, ("Detection error trade-off", 0, plane("DET", det, DET_TICKS, ("BPCER", "APCER"))))
    lead = (
        "How well the models classify the labelled images; each number is the mean over the runs. The DET plot shows "
        "which share of attacks is missed (APCER) where a share of bona fide images is mistaken for attacks (BPCER). "
        "On the diagonal of the reliability diagram, a model is as often right as its confidence says."
    )
    table = Table(["cohort", "number", "value", "95 % interval"], list(_rows(found)))
    notes = [f"{cohort}: {own['note']}." for cohort, own in found.items() if "note" in own]
    return [Figure("performance", "Detection performance", lead, charts, table, notes)]


def _branch(data: ReportData, cohort: str) -> Json:
    found: Json = data.results["cohorts"][cohort]["performance"] or {"n": 0}
    return found


def _rows(found: Mapping[str, Json]) -> Iterator[Sequence[str]]:
    """Yield the rows of the table: cohort, title, number and interval. A missing number is replaced by the reason."""
    for cohort, own in found.items():
        named = {title: (own, name) for name, title in PERFORMANCE.items()}
        for column, worst in own["worst_type"].items():
            named |= {f"{PERFORMANCE[name]}, worst {column}": (worst, name) for name in worst if name in PERFORMANCE}
        for title, (tree, name) in named.items():
            reason = own["reasons"].get(name, "")
            yield [cohort, title, reason or number(tree[name]), interval(tree[f"{name}_ci95"])]


def _det_points(det: Json) -> list[tuple[float, float]]:
    """Return the points of a DET curve as normal quantiles. An APCER beyond the plot is moved to its edge."""
    low, high = DET_ENDS
    pairs = [(x, y) for x, y in zip(det["bpcer"], det["apcer"], strict=True) if low <= x <= high]
    return [(QUANTILE(x), QUANTILE(min(max(y, low), high))) for x, y in pairs]
