"""Tests that the numbers of detection performance agree with scikit-learn and with their definitions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, brier_score_loss, roc_auc_score

from tests.support.predictions import detector, drawn, predictions
from worker.statistics.performance import BPCER_LEVELS, Predictions, RunPredictions, bins_of, reliability

COUNT = settings(max_examples=40, deadline=None)


def numbers(found: Predictions, run: int = 0) -> dict[str, float]:
    return {
        name: float(each[0]) for name, each in RunPredictions(found, run).numbers(np.ones((1, len(found.own)))).items()
    }


def many_classes(seed: int, classes: int = 4, images: int = 60) -> Predictions:
    random = np.random.default_rng(seed)
    labels = np.append(np.arange(classes), random.integers(0, classes, images - classes))
    odds = random.standard_normal((images, 2, classes)) + 1.5 * np.eye(classes)[labels][:, None]
    return predictions(labels, np.exp(odds) / np.exp(odds).sum(2, keepdims=True), attack=None)


@COUNT
@given(st.integers(0, 2**32 - 1))
def test_the_performance_of_a_detector_agrees_with_scikit_learn(seed: int) -> None:
    found = drawn(40, 2, seed)
    for run in range(2):
        own, scores = numbers(found, run), found.probabilities[:, run, 1]
        assert own["accuracy"] == pytest.approx(accuracy_score(found.classes, scores > 0.5))
        assert own["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(found.classes, scores > 0.5))
        assert own["auroc"] == pytest.approx(roc_auc_score(found.classes, scores))
        assert own["brier"] == pytest.approx(brier_score_loss(found.classes, scores))


@COUNT
@given(st.integers(0, 2**32 - 1))
def test_the_performance_of_a_model_of_many_classes_agrees_with_scikit_learn(seed: int) -> None:
    found = many_classes(seed)
    own, probabilities = numbers(found, 1), found.probabilities[:, 1]
    assert own["auroc"] == pytest.approx(
        roc_auc_score(found.classes, probabilities, multi_class="ovr", average="macro")
    )
    assert own["brier"] == pytest.approx(
        brier_score_loss(found.classes, probabilities, labels=range(4), scale_by_half=True)
    )
    assert own["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(found.classes, probabilities.argmax(1)))
    assert "eer" not in own and "apcer_at_bpcer_10" not in own


@COUNT
@given(st.integers(0, 2**32 - 1))
def test_calibration_error_is_the_mean_gap_of_fifteen_bins_of_equal_mass(seed: int) -> None:
    found = drawn(60, 1, seed)  # there are 4 images in each bin
    confidence, correct = found.confidence[:, 0], found.correct[:, 0]
    ranked = np.argsort(confidence).reshape(15, 4)
    gaps = [abs(confidence[own].mean() - correct[own].mean()) for own in ranked]
    assert numbers(found)["ece"] == pytest.approx(np.mean(gaps))


@COUNT
@given(st.lists(st.integers(0, 5), min_size=1, max_size=80))
def test_equal_confidences_share_a_bin_and_bins_do_not_depend_on_the_order(values: list[int]) -> None:
    confidence = np.array(values) / 5
    own = bins_of(confidence)
    assert (own[::-1] == bins_of(confidence[::-1])).all() and own.min() == 0 and own.max() < 15
    for value in set(values):
        assert len(set(own[confidence == value / 5])) == 1


def test_reliability_bins_have_all_values_and_their_means() -> None:
    found = drawn(200, 1, 3)
    bins = reliability(found.confidence[:, 0], found.correct[:, 0])
    assert len(bins) == 15 and sum(each["n"] for each in bins) == 200
    assert sum(each["n"] * each["accuracy"] for each in bins) == pytest.approx(found.correct.sum())
    assert [each["confidence"] for each in bins] == sorted(each["confidence"] for each in bins)


def test_performance_does_not_depend_on_the_order_of_the_images() -> None:
    found = drawn(50, 1, 7)
    places = np.random.default_rng(0).permutation(50)
    shuffled = detector(found.classes[places], found.probabilities[places][:, :, 1])
    assert numbers(shuffled) == pytest.approx(numbers(found))


def test_numbers_that_need_images_of_two_classes_have_a_reason_if_there_is_one_class() -> None:
    found = detector(np.ones(20, bool), np.linspace(0, 1, 20)[:, None])
    assert set(numbers(found)) == {"accuracy", "brier", "ece"}
    assert found.reasons["auroc"] == "needs images of two classes or more"
    assert set(found.reasons) == {"balanced_accuracy", "auroc", "eer", *BPCER_LEVELS}


def test_apcer_at_a_bpcer_needs_enough_bona_fide_images() -> None:
    attack = np.arange(40) < 20
    found = detector(attack, np.linspace(0.9, 0.1, 40)[:, None])
    assert found.reasons["apcer_at_bpcer_1"] == "needs 100 bona fide images or more; there are 20"
    assert {"apcer_at_bpcer_5", "apcer_at_bpcer_10"} <= set(numbers(found))


def test_there_is_no_auroc_if_class_probabilities_are_not_stored() -> None:
    found = replace(many_classes(1), probabilities=np.empty((60, 2, 0)))
    assert "auroc" in found.reasons and "auroc" not in numbers(found)
    assert numbers(found)["brier"] == numbers(many_classes(1))["brier"]


def test_without_labelled_images_every_number_has_a_reason() -> None:
    found = detector(np.zeros(0, bool), np.zeros((0, 2)))
    assert set(found.reasons.values()) == {"no image has a label"} and not found.available


def test_the_error_rates_of_a_stratum_of_attacks_use_all_bona_fide_images() -> None:
    found = drawn(100, 1, 5)
    own = found.attacks & (np.arange(100) % 3 == 0)
    part = found.select(own | ~found.attacks, own)
    scores = found.probabilities[:, 0, 1]
    rows = own | ~found.attacks
    assert numbers(part)["auroc"] == pytest.approx(roc_auc_score(found.attacks[rows], scores[rows]))
    assert numbers(part)["accuracy"] == pytest.approx(found.correct[own].mean())
    assert part.reasons == {
        "balanced_accuracy": "needs images of two classes or more",
        **{name: part.reasons[name] for name in part.reasons if name == "apcer_at_bpcer_1"},
    }


def test_the_worst_attack_type_has_the_largest_apcer() -> None:
    found = drawn(200, 1, 11)
    place = np.cumsum(found.attacks) - 1
    types = np.stack([found.attacks & (place % 3 == each) for each in range(3)], axis=1).astype(float)
    whole = numbers(replace(found, types={"attack_type": types}))
    by_type = [
        numbers(found.select((types[:, each] > 0) | ~found.attacks, types[:, each] > 0))["apcer_at_bpcer_10"]
        for each in range(3)
    ]
    assert whole["attack_type:apcer_at_bpcer_10"] == pytest.approx(max(by_type))
    assert min(by_type) <= whole["apcer_at_bpcer_10"] <= max(by_type)
