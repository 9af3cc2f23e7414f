from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from service.gate import Outcome, Rule, evaluate, number_lookup
from tests.support.cohort_values import cohort, numbers
from worker.statistics.confidence_sequence import Confidence
from worker.statistics.interim_estimate import InterimEstimate
from worker.statistics.results import interim_results, summarise

IMAGES = 80
LABELS = ["real", "fake"] * (IMAGES // 2)
PATHS = [
    "entropy", "entropy.parts.spatial", "accuracy", "stability", "stability.parts.resized", "runs.1.measures.entropy",
    "runs.0.accuracy", "runs.2.measures.stability", "strata.class.fake.entropy", "strata.correct.false.entropy",
    "strata.correct.true.stability",
]  # fmt: skip
LOOK = InterimEstimate(Confidence(0.05, IMAGES))


@pytest.fixture(scope="module")
def trees() -> tuple[Any, Any]:
    """Return the interim results and the final results of two cohorts with equal images."""
    first = numbers(IMAGES, 3)
    first[:, :, 2] *= np.array([0.7, 0.9, 1.0])
    cohorts = [cohort(first, LABELS, "a"), cohort(0.5 * numbers(IMAGES, 3, 1), LABELS, "b")]
    return interim_results(cohorts, LOOK), summarise(cohorts)


@pytest.mark.parametrize("path", PATHS)
def test_an_interim_number_equals_the_final_one_and_its_interval_contains_the_final_interval(
    trees: tuple[Any, Any], path: str
) -> None:
    rule = Rule(measure=path, cohort="a", op=">=", value=0.5)
    found, final = (number_lookup(tree)(rule) for tree in trees)
    assert found.value == pytest.approx(final.value)
    assert found.interval is not None
    low, high = found.interval
    assert low <= found.value <= high
    if final.interval is not None:  # the final accuracy of a run has no interval
        assert low <= final.interval[0] <= final.interval[1] <= high


@pytest.mark.parametrize("measure", ["entropy", "stability"])
def test_the_interval_of_an_interim_difference_contains_the_final_interval(
    trees: tuple[Any, Any], measure: str
) -> None:
    rule = Rule(measure=measure, cohort="a", versus="b", op="<=", margin=0.1)
    found, final = (number_lookup(tree)(rule) for tree in trees)
    assert found.value == pytest.approx(final.value)
    assert found.interval is not None
    assert final.interval is not None
    assert found.interval[0] <= final.interval[0] <= final.interval[1] <= found.interval[1]


def test_the_difference_of_similar_cohorts_has_a_shorter_interval_than_each_cohort() -> None:
    values = numbers(IMAGES, 1)
    alike = values + 0.01 * np.random.default_rng(2).random(values.shape)
    tree = interim_results([cohort(values, LABELS, "a"), cohort(np.clip(alike, 0, 1), LABELS, "b")], LOOK)
    (difference, *_), alone = tree["differences"], tree["cohorts"]["a"]["measures"]["entropy"]
    assert np.diff(difference["ci95"])[0] < np.diff(alone["ci95"])[0]


def test_an_interval_over_two_runs_is_wide_for_any_number_of_images() -> None:
    values = numbers(IMAGES, 2)
    values[:, 0, 2], values[:, 1, 2] = 0.2, 0.8
    found = interim_results([cohort(values, LABELS)], InterimEstimate(Confidence(0.05, IMAGES)))["cohorts"]["c"][
        "measures"
    ]["entropy"]
    assert found["ci95"][0] < 0.2
    assert found["ci95"][1] > 0.8


def test_repeated_images_within_a_slice_do_not_shorten_the_interval() -> None:
    values = np.repeat(numbers(20, 1), 10, axis=0)
    single, tenfold = (cohort(each, [None] * len(each)) for each in (values[::10], values))
    claim, slices = Confidence(0.05, 20), np.repeat(np.arange(20), 10)
    found, wanted = (
        interim_results([tenfold], InterimEstimate(claim, slices)),
        interim_results([single], InterimEstimate(claim)),
    )
    message, twin = (tree["cohorts"]["c"]["measures"]["entropy"] for tree in (found, wanted))
    assert message["ci95"] == pytest.approx(twin["ci95"])


def test_interim_looks_at_three_rules_give_a_wrong_verdict_in_at_most_one_of_twenty_jobs() -> None:
    jobs, wrong, look = 100, 0, InterimEstimate(Confidence(0.05 / 3, 192))
    near = 1e-9  # the true mean entropy is 1/2 in both classes
    rules = [
        Rule(measure="entropy", op=">=", value=0.5 + near),
        Rule(measure="entropy", op="<=", value=0.5 - near),
        Rule(measure="strata.class.fake.entropy", op=">=", value=0.5 + near),
    ]
    for job in range(jobs):
        values, labels = numbers(192, 1, job), ["real", "fake"] * 96
        verdicts = (
            evaluate(rules, number_lookup(interim_results([cohort(values[:seen], labels[:seen])], look)))
            for seen in range(32, 193, 32)
        )
        wrong += any(each.outcome is Outcome.PASS for verdict in verdicts for each in verdict.rules)
    assert wrong <= 0.05 * jobs


def test_fewer_than_five_images_have_no_interval() -> None:
    tree = interim_results([cohort(numbers(4, 1), ["a"] * 4)], LOOK)["cohorts"]["c"]
    assert tree["measures"]["entropy"]["ci95"] is None
    assert tree["strata"]["class"]["a"]["entropy"]["n"] == 4


def test_every_branch_of_the_interim_results_can_be_read() -> None:
    def grow(tree: Any) -> int:
        if isinstance(tree, Mapping):
            return sum(grow(each) for each in tree.values())
        return sum(map(grow, tree)) if isinstance(tree, list) else 1

    labels = ["a", None] * 3
    assert grow(interim_results([cohort(numbers(6, 3), labels, "a"), cohort(numbers(6, 2), labels, "b")], LOOK)) > 100
