"""Each measure's own picture: a distribution, a curve, a matrix, two strips."""

from collections.abc import Sequence

from service.pages.numerals import number
from service.pages.report.charts import Line, Mark, curve, histogram, strip, tone
from service.pages.report.figures import Figure, Table, having, said
from service.pages.report.geometry import geometry
from service.pages.report.heat import Tile, tiles
from service.pages.report.material import Material
from service.pages.report.svg import domain
from service.pages.report.words import interval


def figures(about: Material) -> list[Figure]:
    """Each measure's own picture, of the measures that have one."""
    had = dict(about.measures)
    own = (("entropy", _entropy), ("noise", _noise), ("geometry", geometry), ("stability", _stability),
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
            [
                cohort,
                number(own["mean"]),
                interval(own["ci95"]),
                *quantiles,
                number(spatial["mean"]),
                interval(spatial["ci95"]),
            ]
        )
    heads = ["cohort", "entropy", "95 % interval", "5 %", "25 %", "median", "75 %", "95 %", "spatial", "95 % interval"]
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
    lines, rows = [], []
    places = [part for _, _, own in having(about, "noise") for part in own["parts"]]
    places = list(dict.fromkeys(places))
    for place, cohort, own in having(about, "noise"):
        parts = [own["parts"].get(each) for each in places]
        points = [(each["mean"], each["ci95"]) if each else (None, None) for each in parts]
        lines.append(Line(tone(place), cohort, points))
        rows += [
            [cohort, amount, number(each["mean"]), interval(each["ci95"]), number(each.get("entropy_change"), 3, True),
             number(each.get("probability_change"), 3, True)]
            for amount, each in zip(places, parts, strict=True) if each
        ]  # fmt: skip
    kind = about.job.spec.options.noise.kind
    unit = "share of values made black or white" if kind == "salt_pepper" else "standard deviation of the noise"
    heads = ["cohort", unit, "similarity", "95 % interval", "change of entropy", "change of the class's probability"]
    lead = "How alike the map stays as noise grows. A line that stays high: the model keeps looking where it looked."
    return Figure(
        "noise",
        "Noise: the curve over its amounts",
        lead,
        [("", 0, curve("Similarity of maps over amounts of noise", places, lines, unit))],
        Table(heads, rows),
    )


def _stability(about: Material) -> Figure:
    charts, rows, notes = [], [], []
    for place, cohort, own in having(about, "stability"):
        means = [run["measures"]["stability"]["mean"] for run in about.runs_of(cohort)]
        least = min(range(len(means)), key=means.__getitem__)
        names = [f"run {n + 1}" for n in range(len(means))]
        found = [
            Tile(
                j,
                i,
                None if i == j else value,
                f"{cohort}, run {i + 1} and run {j + 1}: {number(value)}",
                marked=least in (i, j),
            )
            for i, line in enumerate(own["parts"]["matrix"])
            for j, value in enumerate(line)
        ]
        charts.append(
            (cohort, tone(place), tiles(f"{cohort}: similarity of the maps of each two runs", found, (names, names)))
        )
        rows += [[cohort, name, number(mean)] for name, mean in zip(names, means, strict=True)]
        notes.append(_strayed(cohort, means, least))
    lead = "How alike the maps of independently trained runs are, pair by pair; framed, the run that agrees least."
    heads = ["cohort", "run", "mean similarity to the others"]
    return Figure("stability", "Stability: run against run", lead, charts, Table(heads, rows), notes, heat=True)


def _strayed(cohort: str, means: Sequence[float], least: int) -> str:
    others = [mean for place, mean in enumerate(means) if place != least]
    gap = min(others) - means[least]
    spread = max(others) - min(others)
    if len(means) > 2 and gap > max(spread, 0.02):
        rest = f"{number(min(others))} to {number(max(others))}"
        return f"{cohort}: run {least + 1} strayed, at {number(means[least])} against {rest} of the others."
    return (
        f"{cohort}: run {least + 1} agrees least, at {number(means[least])}; no run stands far from the others."
        if len(means) > 2
        else f"{cohort}: two runs, which agree at {number(means[least])}."
    )


def _degradation(about: Material) -> Figure:
    charts, rows = [], []
    told = {"background": "what it ignores is blurred", "object": "what it looks at is blurred"}
    values = [
        own["parts"][part][key] for _, _, own in having(about, "degradation") for part in told for key in ("mean",)
    ]
    ends = domain([value for value in values if value is not None])
    for part, words in told.items():
        marks = []
        for place, cohort, own in having(about, "degradation"):
            each = own["parts"][part]
            marks.append(Mark(tone(place), each["mean"], each["ci95"], f"{cohort}, {words}: {said(each)}"))
            rows.append(
                [
                    cohort,
                    words,
                    number(each["mean"]),
                    interval(each["ci95"]),
                    number(each.get("probability_change"), 3, True),
                ]
            )
        charts.append((words.capitalize(), 0, strip(f"Similarity of the maps where {words}", marks, ends, 420)))
    for _, cohort, own in having(about, "degradation"):
        gap = own["parts"]["gap"]
        rows.append([cohort, "difference", number(gap["mean"], 3, True), interval(gap["ci95"], True), ""])
    lead = (
        "A map that points at what the model uses stays as it is while the background is blurred away, and changes "
        "once the object is. The first strip should lie to the right, the second to the left of it."
    )
    heads = ["cohort", "blurred", "similarity", "95 % interval", "change of the class's probability"]
    return Figure("degradation", "Degradation: background against object", lead, charts, Table(heads, rows))
