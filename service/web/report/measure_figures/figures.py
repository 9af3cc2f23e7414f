"""Draws the figures of entropy, noise and degradation, and collects the figures of all measures."""

from collections.abc import Mapping

from service.web.formatting import number
from service.web.report.charts import curve, histogram, strip, tone
from service.web.report.data import ReportData
from service.web.report.figures import Figure, Table, cells, cohorts_with, mark
from service.web.report.interpretation import INTERPRETATIONS, OBJECT, Interpretation, compare_blurs, interval
from service.web.report.measure_figures.geometry import geometry
from service.web.report.measure_figures.stability import stability
from service.web.report.svg import domain

BLUR_PARTS: Mapping[str, tuple[str, Interpretation]] = {
    "background": ("the background is blurred", INTERPRETATIONS["degradation"]),
    "object": ("the object is blurred", OBJECT),
}


def measure_figures(data: ReportData) -> list[Figure]:
    """Return the figure of each measure that has one."""
    had = dict(data.measures)
    own = (("entropy", _entropy), ("noise", _noise), ("geometry", geometry), ("stability", stability),
           ("degradation", _degradation))  # fmt: skip
    return [make(data) for measure, make in own if measure in had]


def _entropy(data: ReportData) -> Figure:
    series, rows = {}, []
    for place, cohort, own in cohorts_with(data, "entropy"):
        if "histogram" in own:
            series[tone(place)] = own["histogram"]
        spatial = own["parts"]["spatial"]
        quantiles = [number(own[each], 2) for each in ("q05", "q25", "q50", "q75", "q95")]
        rows.append(
            [cohort, *cells(own, INTERPRETATIONS["entropy"]), *quantiles,
             number(spatial["mean"]), interval(spatial["ci95"])]
        )  # fmt: skip
    heads = ["cohort", "entropy", "95 % interval", "in words", "5 %", "25 %", "median", "75 %", "95 %", "spatial",
             "95 % interval"]  # fmt: skip
    drawn = (
        [("", 0, histogram("Shares of images by the entropy of their maps", series, "entropy of the native map"))]
        if series
        else []
    )
    lead = (
        "How many grey levels the maps use, over all images and runs. Models on the left use little of the image; "
        "models on the right use much of it. Spatial entropy, in the table, measures how widely salience spreads."
    )
    return Figure("entropy", "Entropy: distribution", lead, drawn, Table(heads, rows))


def _noise(data: ReportData) -> Figure:
    interpretation, lines, rows = INTERPRETATIONS["noise"], [], []
    places = [part for _, _, own in cohorts_with(data, "noise") for part in own["parts"]]
    places = list(dict.fromkeys(places))
    for place, cohort, own in cohorts_with(data, "noise"):
        parts = [own["parts"].get(each) for each in places]
        lines.append(
            [
                mark(place, f"{cohort}, {amount}", each, interpretation)
                for amount, each in zip(places, parts, strict=True)
            ]
        )
        rows += [
            [cohort, amount, *cells(each, interpretation), number(each.get("entropy_change"), 3, True),
             number(each.get("probability_change"), 3, True)]
            for amount, each in zip(places, parts, strict=True) if each
        ]  # fmt: skip
    kind = data.job.spec.options.noise.kind
    unit = "share of values made black or white" if kind == "salt_pepper" else "standard deviation of the noise"
    heads = ["cohort", unit, "similarity", "95 % interval", "in words", "change of entropy",
             "change of the class's probability"]  # fmt: skip
    lead = "How similar the map stays as noise increases. A line that stays high means that attention stays in place."
    return Figure(
        "noise",
        "Noise: similarity by amount of noise",
        lead,
        [("", 0, curve("Similarity of maps over amounts of noise", places, lines, (unit, interpretation.unit)))],
        Table(heads, rows),
    )


def _degradation(data: ReportData) -> Figure:
    charts, rows = [], []
    values = [own["parts"][part]["mean"] for _, _, own in cohorts_with(data, "degradation") for part in BLUR_PARTS]
    ends = domain([value for value in values if value is not None])
    for part, (words, interpretation) in BLUR_PARTS.items():
        marks = []
        for place, cohort, own in cohorts_with(data, "degradation"):
            each = own["parts"][part]
            marks.append(mark(place, f"{cohort}, {words}", each, interpretation))
            rows.append([cohort, words, *cells(each, interpretation), number(each.get("probability_change"), 3, True)])
        drawn = strip(f"Similarity of the maps when {words}", marks, interpretation.unit, ends, 340)
        charts.append((words.capitalize(), 0, drawn))
    for _, cohort, own in cohorts_with(data, "degradation"):
        gap = own["parts"]["gap"]
        words = compare_blurs(gap["ci95"])
        rows.append([cohort, "difference", number(gap["mean"], 3, True), interval(gap["ci95"], True), words, ""])
    lead = (
        "A map that shows the region which the model uses stays the same when the background is blurred, and changes "
        "when the object is blurred. Values in the first strip should be higher than those in the second."
    )
    heads = ["cohort", "blurred", "similarity", "95 % interval", "in words", "change of the class's probability"]
    return Figure("degradation", "Degradation: background and object compared", lead, charts, Table(heads, rows))
