"""Draws the figure of degradation: similarity with the background and with the object blurred."""

from collections.abc import Mapping

from service.web.formatting import number
from service.web.report.charts import strip
from service.web.report.data import ReportData
from service.web.report.figures import CHANCE_HEADS, Figure, Table, cells, chance_cells, cohorts_with, mark
from service.web.report.interpretation import INTERPRETATIONS, OBJECT, Interpretation, compare_blurs, interval
from service.web.report.svg import domain

BLUR_PARTS: Mapping[str, tuple[str, Interpretation]] = {
    "background": ("the background is blurred", INTERPRETATIONS["degradation"]),
    "object": ("the object is blurred", OBJECT),
}


def degradation(data: ReportData) -> Figure:
    """Draw a strip for each blurred region."""
    charts, rows = [], []
    values = [own["parts"][part]["mean"] for _, _, own in cohorts_with(data, "degradation") for part in BLUR_PARTS]
    ends = domain([value for value in values if value is not None])
    for part, (words, interpretation) in BLUR_PARTS.items():
        marks = []
        for place, cohort, own in cohorts_with(data, "degradation"):
            each = own["parts"][part]
            marks.append(mark(place, f"{cohort}, {words}", each, interpretation))
            change = [number(each.get("probability_change"), 3, True), number(each.get("flipped"))]
            rows.append([cohort, words, *cells(each, interpretation), *chance_cells(each), *change])
        drawn = strip(f"Similarity of the maps when {words}", marks, interpretation.unit, ends, 340)
        charts.append((words.capitalize(), 0, drawn))
    for _, cohort, own in cohorts_with(data, "degradation"):
        gap = own["parts"]["gap"]
        words = compare_blurs(gap["ci95"])
        found = [number(gap["mean"], 3, True), interval(gap["ci95"], True), words]
        rows.append([cohort, "difference", *found, "", "", "", ""])
    lead = (
        "A map that shows the region which the model uses stays the same when the background is blurred, and changes "
        "when the object is blurred. Values in the first strip should be higher than those in the second."
    )
    heads = ["cohort", "blurred", "similarity", "95 % interval", "in words", *CHANCE_HEADS,
             "change of the class's probability", "predictions changed"]  # fmt: skip
    return Figure("degradation", "Degradation: background and object compared", lead, charts, Table(heads, rows))
