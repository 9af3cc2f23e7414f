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


def test_strata_are_by_class_and_by_whether_a_run_classifies_an_image_correctly() -> None:
    values, labels = numbers(12, 3), ["real", "fake"] * 6
    found = summarised(cohort(values, labels))["strata"]
    assert found["class"]["fake"]["entropy"]["mean"] == pytest.approx(values[1::2, :, 2].mean())
    right = values[:, :, 0] == 1
    assert found["correct"]["true"]["entropy"]["mean"] == pytest.approx(values[:, :, 2][right].mean())
    assert found["correct"]["false"]["entropy"]["n"] == (~right).sum()
    assert found["correct"]["true"]["stability"]["n"] == right.all(1).sum()


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
