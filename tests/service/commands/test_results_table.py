import re
from typing import Any

import pytest

from service.commands.results_table import print_results
from service.gate.soundness import Evidence
from service.measures import MEASURES
from tests.support.soundness import soundness


def measured(mean: float) -> dict[str, Any]:
    return {"mean": mean, "ci95": [mean - 0.1, mean + 0.1]}


def difference(measure: str, **changes: Any) -> dict[str, Any]:
    found = {"a": "a", "b": "b", "compares": "recipes", "measure": measure, "d_z": 1.0, "p_holm": 0.0002}
    return {**found, **measured(0.3), "differs": True, **changes}


def test_the_table_shows_every_measure_in_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    cohort = {"measures": {name: measured(0.5) for name in MEASURES}, "accuracy": None}
    differences = [difference(name) for name in MEASURES]
    print_results({"cohorts": {"a": cohort, "b": cohort}, "differences": differences})
    shown = capsys.readouterr().out
    assert {name: shown.count(f" {name} ") for name in MEASURES} == dict.fromkeys(MEASURES, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "yes"),
        ({"compares": "models"}, "these two models differ"),
        ({"differs": False, "p_holm": 0.3}, "no"),
        ({"differs": None, "p_holm": None, "ci95": None}, "unknown"),
    ],
)
def test_the_table_says_whether_cohorts_or_only_their_models_differ(
    changes: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = {"measures": {"noise": measured(0.5)}, "accuracy": None}
    results = {"cohorts": {"a": cohort, "b": cohort}, "differences": [difference("noise", **changes)]}
    print_results(results)
    rows = capsys.readouterr().out.rpartition("┡")[2].splitlines()[1:-1]
    assert " ".join(row.rstrip("│").rpartition("│")[2].strip() for row in rows).strip() == words


def test_the_table_begins_with_the_soundness_checks_and_a_sentence_for_each_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cohort = {"measures": {"noise": measured(0.5)}, "accuracy": None}
    checks = soundness({"a": {"image": Evidence(0.99, (0.98, 1.0))}, "b": {"image": Evidence(0.5, (0.4, 0.6))}})
    print_results({"cohorts": {"a": cohort, "b": cohort}, "differences": [], "soundness": checks})
    shown = capsys.readouterr().out
    assert re.search(r"image +│ failed +│ ok", shown)
    assert "failed: image of 'a': Maps of unrelated images have a mean similarity of 0.99" in shown
    assert shown.index("similarity of 0.99") < shown.index("noise")


def test_the_table_shows_detection_performance_with_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    performance = {"auroc": 0.91, "auroc_ci95": [0.85, 0.95], "eer": None, "eer_ci95": None}
    cohort = {"measures": {"entropy": measured(0.5)}, "accuracy": 0.8, "performance": performance}
    print_results({"cohorts": {"a": cohort}, "differences": []})
    shown = capsys.readouterr().out
    assert "AUROC" in shown and "0.910 [0.850, 0.950]" in shown and "EER" not in shown


def test_similarities_are_shown_with_chance_and_corrected_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    chance: dict[str, Any] = {"chance": 0.4, "chance_ci95": [0.3, 0.5], "corrected": 0.75, "corrected_ci95": [0.7, 0.8]}
    blind: dict[str, Any] = {
        "chance": 0.99,
        "chance_ci95": None,
        "corrected": None,
        "corrected_note": "maps hardly depend on it: 0.99",
    }
    cohorts = {
        name: {"measures": {"noise": {**measured(0.85), **each}, "entropy": measured(0.5)}, "accuracy": None}
        for name, each in {"a": chance, "b": {**blind, "corrected_ci95": None}}.items()
    }
    print_results({"cohorts": cohorts, "differences": []})
    shown = capsys.readouterr().out
    assert re.search(r"noise by chance +│ 0.400 \[0.300, 0.500\] +│ 0.990 ", shown)
    assert re.search(r"noise corrected +│ 0.750 \[0.700, 0.800\] +│ none: maps hardly depend on it ", shown)
    assert "entropy by chance" not in shown
