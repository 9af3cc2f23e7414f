from typing import Any

import pytest

from service.commands.results_table import print_results
from service.measures import MEASURES


def measured(mean: float) -> dict[str, Any]:
    return {"mean": mean, "ci95": [mean - 0.1, mean + 0.1], "cohens_d": 1.0}


def test_every_measure_in_the_results_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    cohort = {"measures": {name: measured(0.5) for name in MEASURES}, "accuracy": None}
    differences = [{"a": "a", "b": "b", "measure": name, **measured(0.3)} for name in MEASURES]
    print_results({"cohorts": {"a": cohort, "b": cohort}, "differences": differences})
    shown = capsys.readouterr().out
    assert {name: shown.count(f" {name} ") for name in MEASURES} == dict.fromkeys(MEASURES, 2)
