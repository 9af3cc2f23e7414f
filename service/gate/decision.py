"""Computes verdicts: the outcome of each rule from its 95 % interval, and the worst outcome.

A rule passes if its entire interval meets the threshold, fails if its entire interval misses it, and is inconclusive
if the threshold lies inside the interval. A rule without a number or an interval is an error. `error` is the worst
outcome, since the gate could not do its work; `fail` is worse than `inconclusive`.
"""

from collections.abc import Sequence
from enum import StrEnum

from service.gate.lookup import RESUBMIT, Missing, Number, NumberLookup
from service.gate.rules import Op, Rule
from service.gate.soundness import CohortCheck
from service.measures.strict_model import StrictModel


class Outcome(StrEnum):
    """The outcome of a rule or of a gate, from best to worst."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ERROR = "error"


OUTCOMES = tuple(Outcome)


class RuleResult(StrictModel):
    """The outcome of one rule."""

    rule: Rule
    """The rule."""
    cohort: str | None
    """The cohort that the rule was applied to."""
    outcome: Outcome
    """The outcome of the rule."""
    number: float | None
    """The value that the rule judges; with `versus`, the difference between the cohorts. Null if there is none."""
    interval: tuple[float, float] | None
    """95 % interval of the number. Null if there is none."""
    threshold: float
    """The threshold that the interval was compared with."""
    reason: str
    """The outcome in a sentence."""


class PolicyUsed(StrictModel):
    """The policy whose rules were applied."""

    name: str
    """Name of the policy."""
    version: int
    """Version of the policy."""


class Verdict(StrictModel):
    """The outcome of a gate, with its reasons."""

    outcome: Outcome
    """The worst outcome of all rules."""
    reason: str
    """The outcome in a sentence."""
    images: int | None
    """Number of images that the verdict is based on."""
    policy: PolicyUsed | None
    """The policy that the rules come from, if any."""
    rules: list[RuleResult]
    """The outcome of each rule."""
    soundness: list[CohortCheck] = []  # noqa: RUF012  # pydantic copies it
    """Soundness checks of the judged cohorts that fail, warn, or are changed by the gate."""


def decide(interval: tuple[float, float], op: Op, threshold: float) -> Outcome:
    """Return the outcome of an interval (low, high) against a threshold."""
    low, high = interval
    if op == "<=":
        low, high, threshold = -high, -low, -threshold
    if low >= threshold:
        return Outcome.PASS
    return Outcome.FAIL if high < threshold else Outcome.INCONCLUSIVE


def evaluate(rules: Sequence[Rule], numbers: NumberLookup, policy: PolicyUsed | None = None) -> Verdict:
    """Return the verdict of the rules on the values that the function `numbers` finds."""
    assert rules, "a gate has rules"
    judged, images = [], []
    for rule in rules:
        each, seen = _evaluate_rule(rule, numbers)
        judged.append(each)
        images += [seen] if seen is not None else []
    worst = worst_outcome([each.outcome for each in judged])
    return Verdict(
        outcome=worst, reason=_summarise(worst, judged), images=max(images, default=None), policy=policy, rules=judged
    )


def with_final_results(interim: Verdict, final: Verdict) -> Verdict:
    """Return the verdict of the last interim look with the final results of the rules that no look can judge."""
    if not any(each.rule.is_judged_at_end for each in final.rules):
        return interim
    both = zip(interim.rules, final.rules, strict=True)
    judged = [after if after.rule.is_judged_at_end else before for before, after in both]
    worst = worst_outcome([each.outcome for each in judged])
    return interim.model_copy(update={"outcome": worst, "reason": _summarise(worst, judged), "rules": judged})


def worst_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the worst of the outcomes."""
    return max(outcomes, key=OUTCOMES.index)


def error_verdict(rules: Sequence[Rule], reason: str, policy: PolicyUsed | None = None) -> Verdict:
    """Return the verdict `error` on all rules, for a job without results."""

    def missing(_: Rule) -> Number:
        raise Missing(reason)

    return evaluate(rules, missing, policy)


def _evaluate_rule(rule: Rule, numbers: NumberLookup) -> tuple[RuleResult, int | None]:
    try:
        found = numbers(rule)
    except Missing as missing:
        return _result(rule, None, Outcome.ERROR, f"{_name(rule, rule.cohort)} cannot be judged: {missing}."), None
    message = f"{_name(rule, found.cohort)} is {_format(rule, found.value)}"
    if found.interval is None:
        return _result(
            rule, found, Outcome.ERROR, f"{message}, and cannot be judged: {_why_no_interval(rule, found)}."
        ), found.images
    outcome = decide(found.interval, rule.op, rule.threshold)
    low, high = (_format(rule, end) for end in found.interval)
    note = f" ({found.note})" if found.note else ""
    reason = f"{message}, 95 % interval [{low}, {high}]{note}; {_explain_outcome(rule, outcome)}."
    return _result(rule, found, outcome, reason), found.images


def _explain_outcome(rule: Rule, outcome: Outcome) -> str:
    threshold = _format(rule, rule.threshold)
    if outcome is Outcome.INCONCLUSIVE:
        return f"the threshold {threshold} lies inside the interval"
    above, below = ("at or above", "below") if rule.op == ">=" else ("at or below", "above")
    return f"the entire interval is {above if outcome is Outcome.PASS else below} the threshold {threshold}"


def _why_no_interval(rule: Rule, found: Number) -> str:
    """Return why a number has no interval, and how to get one."""
    why = "the results have no interval for it, which needs at least five images"
    if found.note is not None:
        why = f"the results have no interval for it ({found.note})"
    if rule.spread is None:
        return f"{why}; audit more images, or use another number in the rule"
    statistic = rule.spread[1]
    return f"{why}, and an interval of {statistic} is computed only if the job's own gate has a rule for it; {RESUBMIT}"


def _result(rule: Rule, found: Number | None, outcome: Outcome, reason: str) -> RuleResult:
    return RuleResult(
        rule=rule,
        cohort=found.cohort if found else rule.cohort,
        outcome=outcome,
        number=found.value if found else None,
        interval=found.interval if found else None,
        threshold=rule.threshold,
        reason=reason,
    )


def _name(rule: Rule, cohort: str | None) -> str:
    statistic = "" if rule.statistic == "mean" else f" ({rule.statistic})"
    of = f" of {cohort}" if cohort else ""
    less = f" minus that of {rule.versus}" if rule.versus else ""
    return f"{rule.measure}{statistic}{of}{less}"


def _format(rule: Rule, number: float) -> str:
    return f"{number:+.4g}" if rule.versus else f"{number:.4g}"


def _summarise(worst: Outcome, judged: Sequence[RuleResult]) -> str:
    if worst is Outcome.PASS:
        return f"All {len(judged)} rules pass." if len(judged) > 1 else judged[0].reason
    first, *more = [each.reason for each in judged if each.outcome is worst]
    return (
        f"{first} {len(more)} more {'rule has' if len(more) == 1 else 'rules have'} the same outcome."
        if more
        else first
    )
