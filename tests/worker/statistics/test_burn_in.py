"""Tests how often rules pass and fail by chance, in a short form of `python -m benchmarks.burn_in`."""

import numpy as np

from benchmarks.burn_in import burn_in, make_cases
from service.gate import Outcome
from tests.support.cohort_values import cohort, numbers

REPLICATIONS = 60


def test_rules_that_the_truth_meets_by_nothing_or_more_are_rarely_decided_wrongly() -> None:
    pool = cohort(numbers(200, 1), [None] * 200)
    cases = make_cases(pool, 100, {"entropy": "entropy", "accuracy": "correct"})
    fixed, stopped, _ = burn_in(pool, cases, 100, REPLICATIONS)
    for case, plain, early in zip(cases, fixed, stopped, strict=True):
        wrong = (Outcome.FAIL,) if case.margin else (Outcome.PASS, Outcome.FAIL)
        assert plain.total() == early.total() == REPLICATIONS
        assert not plain[Outcome.ERROR] + early[Outcome.ERROR]
        # If 2.5 % are wrong, 7 of 60 are with a probability below 0.1 %.
        assert all(found[outcome] < 7 for found in (plain, early) for outcome in wrong)


def test_a_gate_passes_the_more_often_the_larger_the_margin_is_and_the_less_often_with_stop() -> None:
    pool = cohort(numbers(200, 1), [None] * 200)
    cases = make_cases(pool, 100, {"entropy": "entropy"})
    fixed, stopped, spent = burn_in(pool, cases, 100, REPLICATIONS)
    passes = np.array([[each[Outcome.PASS] for each in found] for found in (fixed, stopped)]).reshape(2, 2, 3)
    assert (np.diff(passes, axis=2) >= 0).all()
    assert (passes[0, :, 2] > passes[1, :, 2]).all()
    assert (passes[0, :, 2] > REPLICATIONS // 4).all()
    assert max(spent) <= 100
