from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.gate import Missing, Number, Outcome, PolicyUsed, Rule, decide, error_verdict, evaluate
from service.gate.decision import OUTCOMES, worst_outcome
from service.gate.rules import Op

NUMBERS = st.floats(-10, 10, allow_nan=False)
INTERVALS = st.tuples(NUMBERS, NUMBERS).map(lambda ends: (min(ends), max(ends)))
OPS = st.sampled_from([">=", "<="])


def badness(outcome: Outcome) -> int:
    return OUTCOMES.index(outcome)


def tighter(op: Op, threshold: float, by: float) -> float:
    return threshold + by if op == ">=" else threshold - by


@given(INTERVALS, OPS, NUMBERS, st.floats(0, 10))
def test_a_stricter_threshold_never_makes_an_outcome_better(
    interval: tuple[float, float], op: Op, threshold: float, by: float
) -> None:
    before, after = decide(interval, op, threshold), decide(interval, op, tighter(op, threshold, by))
    assert badness(after) >= badness(before)


@given(INTERVALS, OPS, NUMBERS, st.floats(0, 5), st.floats(0, 5))
def test_a_wider_interval_has_the_same_outcome_or_is_inconclusive(
    interval: tuple[float, float], op: Op, threshold: float, below: float, above: float
) -> None:
    wider = decide((interval[0] - below, interval[1] + above), op, threshold)
    assert wider in (decide(interval, op, threshold), Outcome.INCONCLUSIVE)


@given(INTERVALS, OPS, NUMBERS)
def test_reversing_the_operator_swaps_pass_and_fail_unless_the_interval_touches_the_threshold(
    interval: tuple[float, float], op: Op, threshold: float
) -> None:
    other: Op = "<=" if op == ">=" else ">="
    found, turned = decide(interval, op, threshold), decide(interval, other, threshold)
    if threshold in interval:
        assert Outcome.FAIL not in (found, turned)
    else:
        assert {found, turned} in ({Outcome.PASS, Outcome.FAIL}, {Outcome.INCONCLUSIVE})


@given(INTERVALS, OPS, NUMBERS)
def test_negating_all_numbers_and_reversing_the_operator_keeps_the_outcome(
    interval: tuple[float, float], op: Op, threshold: float
) -> None:
    other: Op = "<=" if op == ">=" else ">="
    assert decide(interval, op, threshold) is decide((-interval[1], -interval[0]), other, -threshold)


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1), st.sampled_from(list(Outcome)))
def test_an_additional_rule_never_makes_a_verdict_better(outcomes: list[Outcome], more: Outcome) -> None:
    assert badness(worst_outcome([*outcomes, more])) == max(badness(worst_outcome(outcomes)), badness(more))


@given(INTERVALS, st.floats(-5, 5), st.floats(0, 5), OPS)
def test_a_smaller_margin_never_makes_an_outcome_better(
    interval: tuple[float, float], margin: float, by: float, op: Op
) -> None:
    found = Number((interval[0] + interval[1]) / 2, interval, "a")
    wide, narrow = (
        evaluate([Rule(measure="m", op=op, versus="b", margin=each)], lambda _: found).outcome
        for each in (margin, margin - by)
    )
    assert badness(narrow) >= badness(wide)


def numbers(**found: Number | None) -> Any:
    def find(rule: Rule) -> Number:
        number = found.get(rule.measure)
        if number is None:
            raise Missing(f"there is no {rule.measure}")
        return number

    return find


def rule(measure: str, op: Op = ">=", value: float = 0.5) -> Rule:
    return Rule(measure=measure, op=op, value=value)


def test_the_verdict_is_the_worst_outcome_of_the_rules_and_has_a_reason() -> None:
    find = numbers(
        good=Number(0.8, (0.7, 0.9), "a", 40),
        wide=Number(0.5, (0.4, 0.6), "a", 40),
        bad=Number(0.2, (0.1, 0.3), "a", 9),
    )
    for names, outcome in (
        (["good"], "pass"),
        (["good", "wide"], "inconclusive"),
        (["bad", "wide", "good"], "fail"),
        (["bad", "bad"], "fail"),
        (["bad", "absent"], "error"),
    ):
        verdict = evaluate([rule(name) for name in names], find)
        assert verdict.outcome == outcome
        assert [each.rule.measure for each in verdict.rules] == names
    assert verdict.images == 9
    assert verdict.reason == "absent cannot be judged: there is no absent."
    assert verdict.rules[0].reason == (
        "bad of a is 0.2, 95 % interval [0.1, 0.3]; the entire interval is below the threshold 0.5."
    )


def test_the_outcome_of_a_rule_on_a_number_without_an_interval_is_error() -> None:
    verdict = evaluate([rule("few")], numbers(few=Number(1.0, None, "a", 3)))
    assert (verdict.outcome, verdict.rules[0].number) == (Outcome.ERROR, 1.0)
    assert "at least five images; audit more images" in verdict.reason
    spread = evaluate([rule("few.sd")], lambda _: Number(1.0, None, "a", 30))
    assert "an interval of sd is computed only if the job's own gate has a rule for it; submit the job" in spread.reason


def test_a_verdict_names_the_policy_of_its_rules() -> None:
    used = PolicyUsed(name="strict", version=3)
    assert evaluate([rule("m")], numbers(m=Number(1, (1, 1), "a")), used).policy == used
    assert error_verdict([rule("m"), rule("n")], "the job failed", used).policy == used


def test_the_outcome_of_every_rule_is_error_if_the_job_has_no_results() -> None:
    verdict = error_verdict([rule("m"), rule("n")], "the job failed")
    assert [each.outcome for each in verdict.rules] == ["error", "error"]
    assert "the job failed" in verdict.reason


@pytest.mark.parametrize(("op", "threshold"), [("<=", 0.02), (">=", -0.02)])
def test_a_margin_limits_how_much_worse_the_cohort_may_be_for_both_operators(op: Op, threshold: float) -> None:
    assert Rule(measure="m", op=op, versus="b", margin=0.02).threshold == threshold
