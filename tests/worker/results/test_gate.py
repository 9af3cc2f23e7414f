"""The results have every number that a gate's rule may name, each with an interval."""

from pathlib import Path

import numpy as np
import pytest

from service.gate import Missing, NumberLookup, Rule, number_lookup
from service.jobs.validation.gate import gate_problems, results_tree
from service.measures import tree
from tests.support.audits import audit, results
from tests.support.jobs import AuditInputs, write_image
from tests.support.results_tree import leaves
from worker.runner import Runner
from worker.statistics import mean_squares


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the test does not depend on the database
def test_results_have_every_number_that_a_rule_may_name_with_its_interval(
    runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    for number in range(5):
        write_image(tmp_path / f"{number}.png", random)
    spec = ingredients.spec(
        cohorts=[ingredients.cohort("plain", 0, 1, 2)],
        measures=["entropy", "noise", "geometry", "stability", "degradation", "randomisation"],
        options={"noise": {"amounts": [0.1]}, "geometry": {"transforms": ["hflip"]}, "degradation": {"curve": [0.5]}},
        out_of_set={"uri": tmp_path.as_uri()},
    )
    rules = [Rule(measure=path, op=">=", value=0) for path in leaves(results_tree(spec, spec.cohorts[0]))]
    assert "measures.stability.parts.resized" in [rule.measure for rule in rules]
    assert len(rules) > 80
    assert list(gate_problems(rules, spec)) == []
    find = number_lookup(results(runner.store, audit(runner, spec)))
    # Untrained models may classify too few images correctly, or too few incorrectly, for an interval.
    found = [rule for rule in rules if not rule.measure.startswith("strata.correct.")]
    assert [rule.measure for rule in found if not has_interval_or_reason(find, rule)] == []


def has_interval_or_reason(find: NumberLookup, rule: Rule) -> bool:
    """Whether a number has an interval; one of performance may instead say which images it needs."""
    try:
        return find(rule).interval is not None
    except Missing as missing:
        return rule.is_judged_at_end and "it needs" in str(missing)


def test_service_and_worker_agree_on_how_many_runs_an_interval_of_stability_needs() -> None:
    assert tree.MIN_RUNS_ACROSS == mean_squares.MIN_RUNS_ACROSS
