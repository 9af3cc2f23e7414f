"""The results have every number that a gate's rule may name, each with an interval."""

from pathlib import Path
from typing import Any

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


def test_rules_on_stability_need_three_runs_and_may_name_only_the_mean(
    ingredients: AuditInputs,
) -> None:
    rules = [
        Rule(measure="stability", op=">=", value=0),
        Rule(measure="stability", statistic="q05", op=">=", value=0),
        Rule(measure="stability.parts.matrix", op=">=", value=0),
    ]
    two, three = (
        list(gate_problems(rules, ingredients.spec(cohorts=[each])))
        for each in (ingredients.cohort("plain", 0, 1), ingredients.cohort("plain", 0, 1, 2))
    )
    assert [(number, field) for number, field, _ in two] == [(0, "measure"), (1, "measure"), (2, "measure")]
    assert two[0][2] == "stability needs 3 runs for an interval, and the cohort has 2; add runs"
    assert [(number, field) for number, field, _ in three] == [(1, "statistic"), (2, "measure")]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"measure": "entropy", "statistic": "corrected"}, "statistic"),
        ({"measure": "degradation.parts.gap", "statistic": "chance"}, "statistic"),
        ({"measure": "stability.parts.resized.corrected"}, "measure"),
        ({"measure": "noise.corrected", "cohort": "a", "versus": "b", "value": None, "margin": 0.1}, "measure"),
    ],
)
def test_rules_on_chance_that_the_results_cannot_answer_are_refused(
    ingredients: AuditInputs, rule: dict[str, Any], field: str
) -> None:
    cohorts = [ingredients.cohort(name, 0, 1, 2) for name in ("a", "b")]
    full = Rule.model_validate({"cohort": "a", "op": ">=", "value": 0.0, **rule})
    ((_, found, _),) = gate_problems([full], ingredients.spec(cohorts=cohorts))
    assert found == field


def test_service_and_worker_agree_on_how_many_runs_an_interval_of_stability_needs() -> None:
    assert tree.MIN_RUNS_ACROSS == mean_squares.MIN_RUNS_ACROSS


@pytest.mark.parametrize("measure", ["degenerate", "degenerate.mean", "runs.1.degenerate", "strata.class.x.degenerate"])
def test_a_rule_about_degenerate_maps_is_valid_unless_the_job_may_stop_early(
    ingredients: AuditInputs, measure: str
) -> None:
    rule, spec = Rule(measure=measure, op="<=", value=0.5), ingredients.spec()
    assert list(gate_problems([rule], spec)) == []
    stopping = spec.model_copy(update={"stop": "when-decided"})
    ((number, field, detail),) = gate_problems([rule], stopping)
    assert (number, field) == (0, "measure")
    assert detail.endswith("remove stop")
