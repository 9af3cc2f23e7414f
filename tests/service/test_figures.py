from pathlib import Path
from typing import Any

import pytest

from service.figures import INCH, SUFFIXES, draw


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
def test_a_figure_is_a_column_wide_and_names_the_cohorts(tmp_path: Path, measure: str) -> None:
    path = tmp_path / "figure.svg"
    draw(RESULTS, measure, path)
    drawn = path.read_text()
    assert f'width="{86 / INCH * 72:.6f}'[:12] in drawn
    assert all(f">{name}</text>" in drawn for name in ("old", "new"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_results_give_the_same_file(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"1{suffix}", tmp_path / f"2{suffix}"
    for path in (first, second):
        draw(RESULTS, "noise", path, width=120)
    assert first.read_bytes() == second.read_bytes()
