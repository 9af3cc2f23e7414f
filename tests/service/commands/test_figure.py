import re
from typing import Any

import pytest

from service.commands.figure import KINDS, MM_PER_INCH, draw


def about(mean: float) -> dict[str, Any]:
    return {"mean": mean, "ci95": [mean - 0.1, mean + 0.05]}


RESULTS: dict[str, Any] = {
    "job": "j",
    "cohorts": {
        name: {
            "measures": {
                "noise": about(mean) | {"parts": {"0.1": about(mean), "0.5": about(mean / 2)}},
                "stability": about(mean) | {"parts": {"resized": about(mean), "matrix": [[1.0, 0.5], [0.5, 1.0]]}},
                "human": {"mean": mean, "ci95": None, "parts": {}},
            }
        }
        for name, mean in (("old", 0.4), ("new", 0.7))
    },
}  # fmt: skip


@pytest.mark.parametrize("measure", ["noise", "stability", "human"])
def test_a_figure_is_as_wide_as_a_journal_column_and_names_the_cohorts(measure: str) -> None:
    drawn = draw(RESULTS, measure, "svg").decode()
    assert f'width="{86 / MM_PER_INCH * 72:.6f}'[:12] in drawn
    assert all(f">{name}</text>" in drawn for name in ("old", "new"))


def test_names_of_cohorts_are_drawn_verbatim_and_fit_the_column() -> None:
    long = "a long name " * 15
    one = RESULTS["cohorts"]["old"]
    cohorts = dict.fromkeys(["$x_1$", "_a", "a/b", "<b>", "50 % of $", long], one)
    drawn = draw({"job": "j", "cohorts": cohorts}, "noise", "svg").decode()
    assert all(f">{name}</text>" in drawn for name in ("$x_1$", "_a", "a/b", "&lt;b&gt;", "50 % of $"))
    lines = [line for line in re.findall(">([^<>]*)</text>", drawn) if "long name" in line]
    assert len(lines) > 1
    assert " ".join(lines) == long.strip()
    assert max(map(len, lines)) < 60


def test_the_row_of_a_difference_is_labelled_as_a_difference() -> None:
    parts = {"background": about(0.4), "object": about(0.7), "gap": about(-0.3)}
    cohorts = {"a": {"measures": {"degradation": about(0.4) | {"parts": parts}}}}
    names = re.findall(">([a-z][^<>]*)</text>", draw({"job": "j", "cohorts": cohorts}, "degradation", "svg").decode())
    assert [n for n in names if "ground" in n or "object" in n] == [
        "background blurred",
        "object blurred",
        "background minus object",
    ]
    assert "or difference of similarities" in names
    assert "gap" not in names


@pytest.mark.parametrize("measure", ["noise", "stability"])
def test_a_figure_marks_the_similarity_of_unrelated_images(measure: str) -> None:
    own = RESULTS["cohorts"]["old"]["measures"][measure]
    parts = {name: each | {"chance": 0.2} if isinstance(each, dict) else each for name, each in own["parts"].items()}
    with_chance = {"job": "j", "cohorts": {"old": {"measures": {measure: own | {"parts": parts, "chance": 0.2}}}}}
    without = {"job": "j", "cohorts": {"old": {"measures": {measure: own}}}}
    drawn, plain = (draw(results, measure, "svg").decode() for results in (with_chance, without))
    assert "unrelated images" in drawn
    assert "unrelated images" not in plain
    assert drawn.count("<path") + drawn.count("<use") > plain.count("<path") + plain.count("<use")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_results_give_the_same_file(kind: str) -> None:
    first, second = (draw(RESULTS, "noise", kind, width=120) for _ in range(2))
    assert first == second
