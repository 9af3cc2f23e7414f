"""Tests of the intervals of standard deviations and quantiles, which are computed only for rules of a gate."""

import pytest

from service.gate import Rule, evaluate, number_lookup
from tests.support.cohort_values import cohort, numbers
from worker.results.spreading import add_spread_intervals
from worker.statistics.results import summarise


@pytest.mark.parametrize(("runs", "approximate"), [(1, False), (2, True), (4, True), (5, False)])
def test_the_verdict_says_that_the_interval_of_a_quantile_is_approximate_below_five_runs(
    runs: int, approximate: bool
) -> None:
    cohorts, rules = [cohort(numbers(12, runs), [None] * 12)], [Rule(measure="entropy.q25", op=">=", value=0)]
    document = summarise(cohorts)
    add_spread_intervals(document, cohorts, rules)
    entropy = document["cohorts"]["c"]["measures"]["entropy"]
    assert entropy["q25_ci95"][0] <= entropy["q25"] <= entropy["q25_ci95"][1]
    assert ("q25_note" in entropy) is approximate
    (result,) = evaluate(rules, number_lookup(document)).rules
    assert ("approximate: a bootstrap of fewer than 5 runs" in result.reason) is approximate
