import re
from typing import Any

import pytest

from service.pages.report.figures import Figure
from service.pages.report.measures import figures
from service.pages.report.words import MEANINGS
from tests.service.pages.report.test_findings import material


def figure(measure: str, parts: dict[str, Any], runs: list[float]) -> Figure:
    """A measure's picture, of one cohort."""
    about = material({"only": {measure: 0.5}})
    own = about.results["cohorts"]["only"]
    own["measures"][measure]["parts"] = parts
    own["runs"] = [{"measures": {measure: {"mean": mean}}} for mean in runs]
    (found,) = figures(about)
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
def test_each_number_says_what_it_means_on_hover_and_in_the_table(measure: str, parts: dict[str, Any]) -> None:
    found = figure(measure, parts, [0.55, 0.55, 0.2])
    hovers = " ".join(re.findall("<title>(.*?)</title>", "".join(chart for _, _, chart in found.charts)))
    told = " ".join(row[found.table.heads.index("in words")] for row in found.table.rows)
    low = "needs what it looks at" if measure == "degradation" else MEANINGS[measure].low
    for words in (f"high: {MEANINGS[measure].high}", f"low: {low}"):
        assert words in hovers
        assert words in told


def test_of_two_runs_none_is_said_to_agree_least() -> None:
    two = figure("stability", {"matrix": [[1.0, 0.4], [0.4, 1.0]]}, [0.4, 0.4])
    three = figure("stability", {"matrix": [[1.0, 0.9, 0.2], [0.9, 1.0, 0.3], [0.2, 0.3, 1.0]]}, [0.55, 0.6, 0.25])
    assert [each.charts[0][2].count('class="marked"') for each in (two, three)] == [0, 4]
    assert (list(two.notes), "framed" in two.lead) == ([], False)
    assert three.notes[0].startswith("only: run 3 strayed")
