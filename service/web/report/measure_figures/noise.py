"""Draws the figure of noise: similarity by amount of noise."""

from service.spec.model import Json
from service.web.formatting import number
from service.web.report.charts import curve
from service.web.report.data import ReportData
from service.web.report.figures import CHANCE_HEADS, Figure, Table, cells, chance_cells, cohorts_with, mark
from service.web.report.interpretation import INTERPRETATIONS


def noise(data: ReportData) -> Figure:
    """Draw a curve per cohort."""
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
        rows += [_row(cohort, amount, each) for amount, each in zip(places, parts, strict=True) if each]
    kind = data.job.spec.options.noise.kind
    unit = "share of values made black or white" if kind == "salt_pepper" else "standard deviation of the noise"
    heads = ["cohort", unit, "similarity", "95 % interval", "in words", *CHANCE_HEADS,
             "change of entropy", "change of the class's probability", "predictions changed"]  # fmt: skip
    lead = "How similar the map stays as noise increases. A line that stays high means that attention stays in place."
    return Figure(
        "noise",
        "Noise: similarity by amount of noise",
        lead,
        [("", 0, curve("Similarity of maps over amounts of noise", places, lines, (unit, interpretation.unit)))],
        Table(heads, rows),
    )


def _row(cohort: str, amount: str, part: Json) -> list[str]:
    changes = [number(part.get(each), 3, True) for each in ("entropy_change", "probability_change")]
    flipped = number(part.get("flipped"))
    return [cohort, amount, *cells(part, INTERPRETATIONS["noise"]), *chance_cells(part), *changes, flipped]
