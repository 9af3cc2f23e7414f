"""Rules that the results cannot answer are refused at submission, each with its field and a remedy."""

from typing import Any

import pytest

from service.gate import Rule
from service.jobs.validation.gate import gate_problems
from tests.support.jobs import AuditInputs


@pytest.mark.parametrize(
    "measure", ["entropy", "noise.parts.0.1", "runs.1.measures.geometry", "strata.class.x.entropy", "accuracy"]
)
def test_a_rule_about_a_number_that_the_results_will_have_is_accepted(ingredients: AuditInputs, measure: str) -> None:
    assert list(gate_problems([Rule(measure=measure, op=">=", value=0)], ingredients.spec())) == []


@pytest.mark.parametrize("measure", ["beauty", "human", "noise.parts.0.2", "noise.parts", "runs.7.measures.entropy"])
def test_a_rule_about_a_number_that_the_results_will_not_have_names_its_measure(
    ingredients: AuditInputs, measure: str
) -> None:
    known = Rule(measure="entropy", op=">=", value=0)
    ((number, field, _),) = gate_problems([known, Rule(measure=measure, op=">=", value=0)], ingredients.spec())
    assert (number, field) == (1, "measure")


@pytest.mark.parametrize("rule", [{"cohort": "nobody"}, {"versus": "nobody", "margin": 0.1, "value": None}])
def test_a_rule_about_a_cohort_that_the_job_does_not_have_names_the_cohort(
    ingredients: AuditInputs, rule: dict[str, Any]
) -> None:
    full = Rule.model_validate({"measure": "entropy", "op": ">=", "value": 0.0, **rule})
    ((_, field, detail),) = gate_problems([full], ingredients.spec())
    assert field == next(iter(rule))
    assert "nobody" in detail


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
