"""Each measure's own picture: here a distribution, a curve, two strips; geometry and stability have files."""

from collections.abc import Mapping

from service.pages.numerals import number
from service.pages.report.charts import curve, histogram, strip, tone
from service.pages.report.figures import Figure, Table, cells, having, mark
from service.pages.report.geometry import geometry
from service.pages.report.material import Material
from service.pages.report.stability import stability
from service.pages.report.svg import domain
from service.pages.report.words import MEANINGS, OBJECT, Meaning, ignored, interval

BLURRED: Mapping[str, tuple[str, Meaning]] = {
    "background": ("what it ignores is blurred", MEANINGS["degradation"]),
    "object": ("what it looks at is blurred", OBJECT),
}


def figures(about: Material) -> list[Figure]:
    """Each measure's own picture, of the measures that have one."""
    had = dict(about.measures)
    own = (("entropy", _entropy), ("noise", _noise), ("geometry", geometry), ("stability", stability),
           ("degradation", _degradation))  # fmt: skip
    return [make(about) for measure, make in own if measure in had]


def _entropy(about: Material) -> Figure:
    series, rows = {}, []
    for place, cohort, own in having(about, "entropy"):
        if "histogram" in own:
            series[tone(place)] = own["histogram"]
        spatial = own["parts"]["spatial"]
        quantiles = [number(own[each], 2) for each in ("q05", "q25", "q50", "q75", "q95")]
        rows.append(
            [cohort, *cells(own, MEANINGS["entropy"]), *quantiles,
             number(spatial["mean"]), interval(spatial["ci95"])]
        )  # fmt: skip
    heads = ["cohort", "entropy", "95 % interval", "in words", "5 %", "25 %", "median", "75 %", "95 %", "spatial",
             "95 % interval"]  # fmt: skip
    drawn = (
        [("", 0, histogram("Shares of pictures by their entropy", series, "entropy of the native map"))]
        if series
        else []
    )
    lead = (
        "How many grey levels the maps use, over all pictures and runs: to the left, models that look at little; to "
        "the right, models that look at much. Spatial entropy, in the table, tells how widely salience spreads."
    )
    return Figure("entropy", "Entropy: how it is distributed", lead, drawn, Table(heads, rows))


def _noise(about: Material) -> Figure:
    meaning, lines, rows = MEANINGS["noise"], [], []
    places = [part for _, _, own in having(about, "noise") for part in own["parts"]]
    places = list(dict.fromkeys(places))
    for place, cohort, own in having(about, "noise"):
        parts = [own["parts"].get(each) for each in places]
        lines.append(
            [mark(place, f"{cohort}, {amount}", each, meaning) for amount, each in zip(places, parts, strict=True)]
        )
        rows += [
            [cohort, amount, *cells(each, meaning), number(each.get("entropy_change"), 3, True),
             number(each.get("probability_change"), 3, True)]
            for amount, each in zip(places, parts, strict=True) if each
        ]  # fmt: skip
    kind = about.job.spec.options.noise.kind
    unit = "share of values made black or white" if kind == "salt_pepper" else "standard deviation of the noise"
    heads = ["cohort", unit, "similarity", "95 % interval", "in words", "change of entropy",
             "change of the class's probability"]  # fmt: skip
    lead = "How alike the map stays as noise grows. A line that stays high: the model keeps looking where it looked."
    return Figure(
        "noise",
        "Noise: the curve over its amounts",
        lead,
        [("", 0, curve("Similarity of maps over amounts of noise", places, lines, (unit, meaning.unit)))],
        Table(heads, rows),
    )


def _degradation(about: Material) -> Figure:
    charts, rows = [], []
    values = [own["parts"][part]["mean"] for _, _, own in having(about, "degradation") for part in BLURRED]
    ends = domain([value for value in values if value is not None])
    for part, (words, meaning) in BLURRED.items():
        marks = []
        for place, cohort, own in having(about, "degradation"):
            each = own["parts"][part]
            marks.append(mark(place, f"{cohort}, {words}", each, meaning))
            rows.append([cohort, words, *cells(each, meaning), number(each.get("probability_change"), 3, True)])
        drawn = strip(f"Similarity of the maps where {words}", marks, meaning.unit, ends, 340)
        charts.append((words.capitalize(), 0, drawn))
    for _, cohort, own in having(about, "degradation"):
        gap = own["parts"]["gap"]
        words = ignored(gap["ci95"])
        rows.append([cohort, "difference", number(gap["mean"], 3, True), interval(gap["ci95"], True), words, ""])
    lead = (
        "A map that points at what the model uses stays as it is while the background is blurred away, and changes "
        "once the object is. The first strip should lie to the right, the second to the left of it."
    )
    heads = ["cohort", "blurred", "similarity", "95 % interval", "in words", "change of the class's probability"]
    return Figure("degradation", "Degradation: background against object", lead, charts, Table(heads, rows))
