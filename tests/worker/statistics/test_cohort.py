import json
from typing import Any

import numpy as np
import pytest

from tests.support.cohort_values import cohort, numbers
from worker.statistics.cohort import CohortValues
from worker.statistics.results import summarise


def summarised(values: CohortValues) -> Any:
    return summarise([values])["cohorts"][values.name]


def test_a_cohorts_mean_is_over_all_images_and_runs() -> None:
    values = numbers(12, 3)
    found = summarised(cohort(values, [None] * 12))
    entropy = found["measures"]["entropy"]
    assert entropy["mean"] == pytest.approx(values[:, :, 2].mean())
    assert entropy["parts"]["spatial"]["mean"] == pytest.approx(values[:, :, 3].mean())
    assert entropy["ci95"][0] < entropy["mean"] < entropy["ci95"][1]
    assert found["runs"][2]["measures"]["entropy"]["mean"] == pytest.approx(values[:, 2, 2].mean())
    assert found["strata"] == {}


def test_there_are_strata_for_each_class_and_for_correct_and_wrong_predictions() -> None:
    values, labels = numbers(12, 3), ["real", "fake"] * 6
    found = summarised(cohort(values, labels))["strata"]
    assert found["class"]["fake"]["entropy"]["mean"] == pytest.approx(values[1::2, :, 2].mean())
    right = values[:, :, 0] == 1
    assert found["correct"]["true"]["entropy"]["mean"] == pytest.approx(values[:, :, 2][right].mean())
    assert found["correct"]["false"]["entropy"]["n"] == (~right).sum()
    assert found["correct"]["true"]["stability"]["n"] == right.all(1).sum()


def test_a_stratum_in_which_one_run_alone_has_values_has_no_interval_of_the_recipe() -> None:
    values = numbers(12, 2)
    values[:, 0, 0], values[:, 1, 0] = 1, 0
    entropy = summarised(cohort(values, ["a"] * 12))["strata"]["correct"]["true"]["entropy"]
    assert entropy["mean"] == pytest.approx(values[:, 0, 2].mean())
    assert (entropy["ci95"], entropy["note"]) == (None, "needs two runs with values: only one run has any")


def test_stability_of_two_runs_has_no_interval_and_says_so() -> None:
    two, three = (summarised(cohort(numbers(12, runs), [None] * 12)) for runs in (2, 3))
    assert two["measures"]["stability"]["ci95"] is None
    assert two["measures"]["stability"]["note"].startswith("needs three runs")
    assert three["measures"]["stability"]["ci95"] is not None


def test_cohorts_of_one_run_are_compared_as_models_and_others_as_recipes() -> None:
    cohorts = [cohort(numbers(12, runs), [None] * 12, name) for name, runs in (("a", 1), ("b", 2), ("c", 3))]
    found = {(each["a"], each["b"]): each["compares"] for each in summarise(cohorts)["differences"]}
    assert found == {("a", "b"): "models", ("a", "c"): "models", ("b", "c"): "recipes"}


def test_headlines_are_corrected_for_all_headlines_of_the_job_and_parts_are_not() -> None:
    lower = numbers(40, 3, 1)
    lower[:, :, 2] *= 0.8
    found = summarise([cohort(numbers(40, 3), [None] * 40, "a"), cohort(lower, [None] * 40, "b")])["differences"]
    by_name = {each["measure"]: each for each in found}
    entropy, stability, part = (by_name[name] for name in ("entropy", "stability", "entropy.parts.spatial"))
    smaller, larger = sorted([entropy, stability], key=lambda each: float(each["p"]))
    assert smaller["p_holm"] == pytest.approx(min(1, 2 * smaller["p"]))
    assert larger["p_holm"] == pytest.approx(max(larger["p"], smaller["p_holm"]))
    assert [each["differs"] for each in (smaller, larger)] == [each["p_holm"] <= 0.05 for each in (smaller, larger)]
    assert (part["p"] is not None, part["p_holm"], part["differs"]) == (True, None, None)


def test_accuracy_counts_labelled_images_only() -> None:
    values = numbers(4, 1)
    values[:, 0, 0] = [1, 0, np.nan, np.nan]
    assert summarised(cohort(values, ["a", "b", None, None]))["accuracy"] == 0.5


def test_the_stability_matrix_and_the_stability_of_each_run_agree_with_the_pairs() -> None:
    found = summarised(cohort(numbers(6, 3), [None] * 6))
    matrix = np.array(found["measures"]["stability"]["parts"]["matrix"])
    assert np.array_equal(matrix, matrix.T)
    assert np.diag(matrix).tolist() == [1, 1, 1]
    assert matrix[1, 2] == pytest.approx(0.3)
    assert [run["measures"]["stability"]["mean"] for run in found["runs"]] == pytest.approx([0.15, 0.2, 0.25])


@pytest.mark.parametrize("images", [1, 2, 5])
@pytest.mark.parametrize("correct", [0.0, 1.0, np.nan])
def test_results_are_json_without_nan_for_few_images_and_missing_labels(images: int, correct: float) -> None:
    values = numbers(images, 2)
    values[:, :, 0] = correct
    labels = [None if np.isnan(correct) else "a"] * images
    tree: dict[str, Any] = summarise([cohort(values, labels, "a"), cohort(values + 0.1, labels, "b")])
    assert json.loads(json.dumps(tree, allow_nan=False)) == tree


def test_differences_show_only_the_measure_in_which_two_cohorts_differ() -> None:
    values = numbers(20, 3)
    higher = values.copy()
    higher[:, :, 2] += 0.5
    found = {
        each["measure"]: each
        for each in summarise([cohort(higher, [None] * 20, "a"), cohort(values, [None] * 20, "b")])["differences"]
    }
    assert found["entropy"]["mean"] == pytest.approx(0.5)
    assert found["entropy"]["ci95"][0] > 0
    assert found["entropy.parts.spatial"]["mean"] == 0
    assert found["stability"]["mean"] == 0
