from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

from tests.support.cohort_values import labelled_cohort
from worker.statistics.confidence_sequence import Confidence
from worker.statistics.soundness import SoundnessNumbers

IMAGES, RUNS = 40, 3
LABELS = ["real"] * 30 + ["fake"] * 10
EVERY = {"degenerate", "image", "class", "difference", "predictions", "accuracy"}


@pytest.fixture
def columns() -> dict[str, np.ndarray]:
    """Return random values of the columns that the checks use, (images, runs) each."""
    random = np.random.default_rng(0)
    return {
        "predicted": random.integers(0, 2, (IMAGES, RUNS)).astype(float),
        "correct": (random.random((IMAGES, RUNS)) < 0.8).astype(float),
        "degenerate": (random.random((IMAGES, RUNS)) < 0.1).astype(float),
        "chance": random.normal(0.6, 0.1, (IMAGES, RUNS)),
        "soundness.class": random.normal(0.4, 0.1, (IMAGES, RUNS)),
        "soundness.difference": random.normal(0.7, 0.1, (IMAGES, RUNS)),
    }


def numbers(columns: Mapping[str, np.ndarray], labels: list[str | None] | None = None) -> SoundnessNumbers:
    return SoundnessNumbers(labelled_cohort(columns, LABELS if labels is None else labels))


def test_every_check_has_a_number_for_the_cohort_and_for_each_run(columns: dict[str, np.ndarray]) -> None:
    found = numbers(columns)
    for each in (found.of(), *map(found.of, range(RUNS))):
        assert set(each) == EVERY


@pytest.mark.parametrize("check, column", [("image", "chance"), ("class", "soundness.class")])
def test_a_mean_similarity_has_the_normal_distributions_interval_over_images(
    columns: dict[str, np.ndarray], check: str, column: str
) -> None:
    columns[column][5] = np.nan
    columns[column][6, 0] = np.nan
    by_image = np.nanmean(np.delete(columns[column], 5, axis=0), axis=1)
    twin = stats.norm.interval(0.95, by_image.mean(), stats.sem(by_image))
    found = numbers(columns).of()[check]
    assert found["number"] == pytest.approx(by_image.mean())
    assert found["interval"] == pytest.approx(twin)


def test_accuracy_has_wilsons_interval_over_images_for_any_number_of_runs(columns: dict[str, np.ndarray]) -> None:
    columns["correct"] = np.repeat(columns["correct"][:, :1], RUNS, axis=1)
    right = int(columns["correct"][:, 0].sum())
    twin = stats.binomtest(right, IMAGES).proportion_ci(method="wilson")
    for found in (numbers(columns).of(), numbers(columns).of(2)):
        assert found["accuracy"]["number"] == pytest.approx(right / IMAGES)
        assert found["accuracy"]["interval"] == pytest.approx([twin.low, twin.high])
        assert found["accuracy"]["limit"] == 0.75


def test_the_interval_of_accuracy_is_wider_if_it_must_be_valid_at_all_interim_looks(
    columns: dict[str, np.ndarray],
) -> None:
    cohort = labelled_cohort(columns, LABELS)
    once = SoundnessNumbers(cohort).of(0)["accuracy"]["interval"]
    always = SoundnessNumbers(cohort, Confidence(0.05, IMAGES)).of(0)["accuracy"]["interval"]
    assert always[0] < once[0] < once[1] < always[1]


def test_images_without_a_label_do_not_count_in_accuracy(columns: dict[str, np.ndarray]) -> None:
    columns["correct"][30:] = np.nan
    labels: list[str | None] = ["real"] * 20 + ["fake"] * 10 + [None] * 10
    found = numbers(columns, labels).of()["accuracy"]
    assert found["number"] == pytest.approx(columns["correct"][:30].mean())
    assert found["limit"] == pytest.approx(2 / 3)


def test_runs_that_each_predict_one_class_count_as_constant_even_if_their_classes_differ(
    columns: dict[str, np.ndarray],
) -> None:
    columns["predicted"] = np.tile([0.0, 1.0, 2.0], (IMAGES, 1))
    assert numbers(columns).of()["predictions"]["number"] == 1.0
    columns["predicted"][:10, 0] = 1
    found = numbers(columns)
    assert [found.of(run)["predictions"]["number"] for run in range(RUNS)] == [0.75, 1.0, 1.0]


def test_the_share_of_degenerate_maps_has_the_same_interval_as_in_the_results(columns: dict[str, np.ndarray]) -> None:
    count = int(columns["degenerate"].sum())
    twin = stats.binomtest(count, IMAGES * RUNS).proportion_ci(method="wilson")
    found = numbers(columns).of()["degenerate"]
    assert found["number"] == count / IMAGES / RUNS
    assert found["interval"] == pytest.approx([twin.low, twin.high])


@pytest.mark.parametrize("check", sorted(EVERY))
def test_a_check_whose_column_is_absent_has_no_number(columns: dict[str, np.ndarray], check: str) -> None:
    column = {"image": "chance", "predictions": "predicted", "accuracy": "correct"}.get(check, f"soundness.{check}")
    del columns[check if check in columns else column]
    assert set(numbers(columns).of()) == EVERY - {check}


def test_the_check_of_predictions_needs_two_labels_and_that_of_accuracy_needs_one(
    columns: dict[str, np.ndarray],
) -> None:
    assert set(numbers(columns, ["real"] * IMAGES).of()) == EVERY - {"predictions"}
    assert set(numbers(columns, [None] * IMAGES).of()) == EVERY - {"predictions", "accuracy"}


def test_a_column_without_any_value_has_no_number(columns: dict[str, np.ndarray]) -> None:
    columns["chance"][:] = np.nan
    columns["correct"][:] = np.nan
    found = numbers(columns).of()
    assert (found["image"]["number"], found["accuracy"]["number"]) == (None, None)
    columns["chance"][:4] = 0.5
    assert numbers(columns).of()["image"] == {"number": 0.5}
