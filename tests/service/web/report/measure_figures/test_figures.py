import re
from typing import Any

import pytest

from service.web.report.figures import Figure
from service.web.report.interpretation import INTERPRETATIONS
from service.web.report.measure_figures import measure_figures
from tests.support.report_data import material


def figure(measure: str, parts: dict[str, Any], runs: list[float]) -> Figure:
    """Return the figure of a measure for a job with one cohort."""
    data = material({"only": {measure: 0.5}})
    own = data.results["cohorts"]["only"]
    own["measures"][measure]["parts"] = parts
    own["runs"] = [{"measures": {measure: {"mean": mean}}} for mean in runs]
    (found,) = measure_figures(data)
    return found


def part(mean: float) -> dict[str, Any]:
    return {"mean": mean, "ci95": [mean - 0.1, mean + 0.1]}


@pytest.mark.parametrize(
    ("measure", "parts"),
    [
        ("noise", {"0.1": part(0.9), "0.5": part(0.2)}), ("geometry", {"hflip": part(0.9), "shift:16,0": part(0.2)}),
        ("stability", {"matrix": [[1.0, 0.9, 0.2], [0.9, 1.0, 0.2], [0.2, 0.2, 1.0]]}),
        ("degradation", {"background": part(0.9), "object": part(0.2), "gap": part(0.7)}),
    ],
)  # fmt: skip
def test_hover_texts_and_tables_explain_each_number(measure: str, parts: dict[str, Any]) -> None:
    found = figure(measure, parts, [0.55, 0.55, 0.2])
    hovers = " ".join(re.findall("<title>(.*?)</title>", "".join(chart for _, _, chart in found.charts)))
    descriptions = " ".join(row[found.table.heads.index("in words")] for row in found.table.rows)
    low = "the model needs the salient region" if measure == "degradation" else INTERPRETATIONS[measure].low
    for words in (f"high: {INTERPRETATIONS[measure].high}", f"low: {low}"):
        assert words in hovers
        assert words in descriptions


def test_the_figure_of_stability_frames_the_cells_of_an_outlier_run_and_no_others() -> None:
    two = figure("stability", {"matrix": [[1.0, 0.4], [0.4, 1.0]]}, [0.4, 0.4])
    three = figure("stability", {"matrix": [[1.0, 0.9, 0.2], [0.9, 1.0, 0.3], [0.2, 0.3, 1.0]]}, [0.55, 0.6, 0.25])
    tied = figure("stability", {"matrix": [[1.0, 0.4, 0.4], [0.4, 1.0, 0.4], [0.4, 0.4, 1.0]]}, [0.4, 0.4, 0.4])
    assert [each.charts[0][2].count('class="marked"') for each in (two, three, tied)] == [0, 4, 0]
    framed = re.findall("<title>([^<]*)</title>", "".join(re.findall('class="marked".*?</title>', three.charts[0][2])))
    assert len(framed) == 4
    assert all("run 3" in each for each in framed)
    assert (list(two.notes), ["framed" in each.lead for each in (two, three, tied)]) == ([], [False, True, False])
    assert three.notes[0].startswith(
        "only: run 3 is an outlier; its mean similarity to the other runs is 0.250, "
        "that of the other runs is 0.550 to 0.600"
    )
    assert tied.notes[0].startswith("only: no run is an outlier")


def tiles_of(*transforms: str) -> list[str]:
    """Return the names on the tiles of the geometry figure. Fails if two tiles overlap."""
    (chart,) = (chart for _, _, chart in figure("geometry", {each: part(0.5) for each in transforms}, []).charts)
    places = re.findall('<rect x="(.*?)" y="(.*?)" width="54" height="54" rx="4"', chart)
    assert len(places) == len(set(places))
    return re.findall(">([^<]*)</text><title>", chart)


def test_the_figure_of_geometry_draws_any_number_of_shifts() -> None:
    many = [f"shift:{dx},-3" for dx in (-9, -6, -3, 3, 6, 9)]
    assert tiles_of(*many) == [
        "\u22129, \u22123",
        "\u22126, \u22123",
        "\u22123, \u22123",
        "+3, \u22123",
        "+6, \u22123",
        "+9, \u22123",
    ]
    assert len(tiles_of("hflip", *many, "rotate:-15.5")) == 8
    assert tiles_of("shift:4,0", "hflip") == ["clean", "+4, 0", "hflip"]


def test_the_figure_of_geometry_draws_many_rotations_in_rows_of_tiles() -> None:
    turns = [f"rotate:{degrees}" for degrees in range(-20, 21) if degrees]
    assert tiles_of("shift:4,0", *turns, "scale:0.8")[-2:] == ["20\N{DEGREE SIGN}", "\N{MULTIPLICATION SIGN} 0.8"]
    (chart,) = (chart for _, _, chart in figure("geometry", {each: part(0.5) for each in turns}, []).charts)
    assert 'width="342"' in chart


@pytest.mark.parametrize(
    ("measure", "names"),
    [("noise", ["0.1"]), ("geometry", ["hflip"]), ("degradation", ["background", "object", "gap"])],
)
def test_tables_show_chance_beside_each_similarity_and_flipped_beside_each_change_of_probability(
    measure: str, names: list[str]
) -> None:
    chance = {"chance": 0.4, "corrected": 0.75, "corrected_ci95": [0.7, 0.8], "flipped": 0.125}
    parts = {name: {**part(0.85), **({} if name == "gap" else chance)} for name in names}
    table = figure(measure, parts, [0.5]).table
    assert {len(row) for row in table.rows} == {len(table.heads)}
    shown = dict(zip(table.heads, table.rows[0], strict=True))
    assert (shown["by chance"], shown["corrected for chance"]) == ("0.400", "0.750 (0.700 to 0.800)")
    if measure != "geometry":
        assert shown["predictions changed"] == "0.125"
        before = table.heads[table.heads.index("predictions changed") - 1]
        assert before == "change of the class's probability"
