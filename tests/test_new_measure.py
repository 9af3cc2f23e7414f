"""Tests that plan, results, gate, API and report have a new measure as soon as it is in both registries."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.measures import MEASURES
from worker.audit.scoring import SCORERS


def test_both_registries_have_the_same_measures() -> None:
    assert SCORERS.keys() == MEASURES.keys()


def test_every_measure_is_registered_under_its_own_name() -> None:
    assert [measure.name for measure in MEASURES.values()] == list(MEASURES)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the plan, the results, the gate, the API and the report show of the measure `contrast`, by name."""
    program = [sys.executable, "-m", "tests.support.contrast", str(tmp_path_factory.mktemp("contrast"))]
    done = subprocess.run(program, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_api_offers_a_new_measure_with_its_options(shown: dict[str, Any]) -> None:
    (entry,) = (each for each in shown["catalogue"] if each["name"] == "contrast")
    assert entry["range"] == [-1, 1]
    assert entry["parameters"]["factors"]["default"] == [0.25, 0.5]
    assert "'contrast'" in shown["refusal"]


def test_a_new_measure_is_planned_and_measured(shown: dict[str, Any]) -> None:
    assert {"contrast", "contrast.mse", "contrast.0.25.ssim", "contrast.0.5.iou20"} <= set(shown["plan"])
    assert -1 <= shown["measure"]["mean"] <= 1
    assert list(shown["measure"]["parts"]) == ["0.25", "0.5"]
    assert shown["measure"]["parts"]["0.5"]["pearson"] is not None


def test_the_sample_contains_images_that_a_new_measure_ranks_first(shown: dict[str, Any]) -> None:
    assert "most disturbed by contrast" in shown["why"]


def test_a_gate_judges_a_new_measure(shown: dict[str, Any]) -> None:
    assert shown["verdict"]["outcome"] == "pass"
    assert [rule["outcome"] for rule in shown["verdict"]["rules"]] == ["pass", "pass"]


def test_the_table_the_figure_and_the_report_show_a_new_measure(shown: dict[str, Any]) -> None:
    assert "contrast" in shown["table"]
    assert shown["figure"] > 1000
    assert "Does attention stay where it was at lower contrast?" in shown["report"]
    assert "Most disturbed by contrast" in shown["report"]


def test_maps_of_a_new_measures_variants_can_be_requested(shown: dict[str, Any]) -> None:
    assert shown["map"] == 200
