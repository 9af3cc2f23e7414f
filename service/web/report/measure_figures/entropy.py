"""Draws the figure of entropy: how the images' values are distributed."""

from service.web.formatting import number
from service.web.report.charts import histogram, tone
from service.web.report.data import ReportData
from service.web.report.figures import Figure, Table, cells, cohorts_with
from service.web.report.interpretation import INTERPRETATIONS, interval


def entropy(data: ReportData) -> Figure:
    """Draw the histogram of each cohort's values."""
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
