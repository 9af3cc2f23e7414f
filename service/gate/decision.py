"""The verdict: each rule decided on its 95 % interval, and the worst of them.

An interval wholly on the good side of the threshold passes, one wholly on the bad side fails, one that holds the
threshold is inconclusive. A rule whose number or interval is not there is an error. Of several, `error` is the worst:
it says that the gate did not do its work, which somebody must mend, whatever the other rules found; next comes what
is known to be bad, then what is not known to be good.
"""

from collections.abc import Sequence
from enum import StrEnum

from service.gate.lookup import RESUBMIT, Missing, Number, NumberLookup
from service.gate.rules import Op, Rule
from service.measures.strict_model import StrictModel


class Outcome(StrEnum):
    """From the best to the worst."""

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
    """The cohort that it was applied to."""
    outcome: Outcome
    """The outcome of the rule."""
    number: float | None
    """The number that the rule names; with `versus`, the difference. Null if there is none."""
    interval: tuple[float, float] | None
    """Its 95 % interval. Null if there is none."""
    threshold: float
    """What the interval was compared with."""
    reason: str
    """The outcome in a sentence."""


class PolicyUsed(StrictModel):
    """The policy whose rules were applied."""

    name: str
    """Name of the policy."""
    version: int
    """Version of the policy."""


class Verdict(StrictModel):
    """The answer of a gate."""

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


def decide(interval: tuple[float, float], op: Op, threshold: float) -> Outcome:
    """Where an interval (low, high) lies."""
    low, high = interval
    if op == "<=":
        low, high, threshold = -high, -low, -threshold
    if low >= threshold:
        return Outcome.PASS
    return Outcome.FAIL if high < threshold else Outcome.INCONCLUSIVE


def evaluate(rules: Sequence[Rule], numbers: NumberLookup, policy: PolicyUsed | None = None) -> Verdict:
    """The verdict on what `numbers` finds for the rules."""
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


def worst_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """The worst of some outcomes."""
    return max(outcomes, key=OUTCOMES.index)


def error_verdict(rules: Sequence[Rule], reason: str, policy: PolicyUsed | None = None) -> Verdict:
    """The verdict `error` on all rules, where there is nothing to judge."""

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
    wanted = f"wanted is at {'least' if rule.op == '>=' else 'most'} {_format(rule, rule.threshold)}"
    reason = f"{message}, 95 % interval {low} to {high}; {wanted}, and {SIDES[outcome]}."
    return _result(rule, found, outcome, reason), found.images


SIDES = {
    Outcome.PASS: "all of the interval is on the good side",
    Outcome.FAIL: "all of the interval is on the bad side",
    Outcome.INCONCLUSIVE: "the interval lies on both sides",
}


def _why_no_interval(rule: Rule, found: Number) -> str:
    """Why a number has no interval, and what would give it one."""
    why = "the results hold no interval of it, which takes five images or more"
    if found.note is not None:
        why = f"the results hold no interval of it ({found.note})"
    if rule.spread is None:
        return f"{why}; audit more images, or name another number"
    return f"{why} and, of {rule.spread[1]}, a job's own gate that asks for one; {RESUBMIT}"


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
    less = f" less that of {rule.versus}" if rule.versus else ""
    return f"{rule.measure}{statistic}{of}{less}"


def _format(rule: Rule, number: float) -> str:
    return f"{number:+.4g}" if rule.versus else f"{number:.4g}"


def _summarise(worst: Outcome, judged: Sequence[RuleResult]) -> str:
    if worst is Outcome.PASS:
        return f"All {len(judged)} rules pass." if len(judged) > 1 else judged[0].reason
    first, *more = [each.reason for each in judged if each.outcome is worst]
    return f"{first} So it is with {len(more)} more." if more else first
