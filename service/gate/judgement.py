"""Judges a results document by the rules of a gate. A failed soundness check of a cohort makes its rules errors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from service.gate.checks import CHECKS, judge_together
from service.gate.decision import PolicyUsed, Verdict, evaluate
from service.gate.lookup import Missing, Number, cohort_of, number_lookup
from service.gate.rules import Rule
from service.gate.soundness import CohortCheck, Evidence, Limits, Status

Json = Mapping[str, Any]
# Measures that a rule can demand to exceed chance, and their chance levels; that of accuracy depends on the images.
CHANCE: Mapping[str, float | None] = {
    "accuracy": None,
    "performance.accuracy": None,
    "performance.balanced_accuracy": 0.5,
    "performance.auroc": 0.5,
}
SEVERITY = {Status.WARNING: 1, Status.FAILED: 2}


def judge(
    document: Json, rules: Sequence[Rule], limits: Limits, policy: PolicyUsed | None = None, *, is_final: bool = True
) -> Verdict:
    """Return the verdict on a results document. `limits` has the limits of soundness checks that the gate changes.

    Rules whose number has an interval only at the end are judged only if the results are final, not at an interim look.
    """
    checks, find = _Checks(document, rules, limits), number_lookup(document)

    def find_sound(rule: Rule) -> Number:
        if rule.is_judged_at_end and not is_final:
            raise Missing(f"{rule.path} has an interval only once all images are audited")
        checks.demand(rule)
        return find(rule)

    verdict = evaluate(rules, find_sound, policy)
    changed = ", ".join(f"{name} {limit}" for name, limit in limits.items())
    reason = f"{verdict.reason} The gate changes soundness checks: {changed}." if changed else verdict.reason
    return verdict.model_copy(update={"reason": reason, "soundness": checks.notable()})


def cohort_checks(document: Json, cohort: str) -> list[CohortCheck]:
    """Return the soundness checks of a cohort or baseline, then those of its runs. Older releases have none."""
    found = document.get("soundness", {}).get(cohort, {"checks": [], "runs": []})
    return [
        CohortCheck.model_validate({**each, "cohort": cohort, "run": run})
        for run, results in [(None, found["checks"]), *enumerate(found["runs"])]
        for each in results
    ]


def concerns(checks: Sequence[CohortCheck]) -> list[CohortCheck]:
    """Return the checks that fail, then those that warn.
    A check of a run is included only if its status is worse than that of the same check of the cohort.
    """
    whole = {(each.cohort, each.name): SEVERITY.get(each.status, 0) for each in checks if each.run is None}
    found = [
        each
        for each in checks
        if SEVERITY.get(each.status, 0) > (0 if each.run is None else whole[each.cohort, each.name])
    ]
    return sorted(found, key=lambda each: -SEVERITY[each.status])


def failed_check(document: Json, cohort: str) -> CohortCheck | None:
    """Return the first failed check of a cohort or of its runs, or None if no check fails."""
    return next((each for each in cohort_checks(document, cohort) if each.status is Status.FAILED), None)


@dataclass(frozen=True)
class _Checks:
    """The soundness checks of a results document, judged by the limits and the rules of a gate."""

    document: Json
    rules: Sequence[Rule]
    limits: Limits

    def demand(self, rule: Rule) -> None:
        """Raise Missing if a soundness check fails for a cohort that the rule names."""
        for cohort in self._cohorts(rule):
            if cohort in self.document["cohorts"] and cohort not in self.document.get("soundness", {}):
                raise Missing(f"the results of {cohort!r} have no soundness checks; submit the job again")
            for each in self._judged(cohort):
                if each.status is Status.FAILED:
                    raise Missing(f"the soundness check {each.name} of {each.subject} fails: {each.sentence[:-1]}")

    def notable(self) -> list[CohortCheck]:
        """Return the checks that the gate changes, then those that fail or warn, of all cohorts that the rules name."""
        cohorts = dict.fromkeys(cohort for rule in self.rules for cohort in self._cohorts(rule))
        judged = [each for cohort in cohorts for each in self._judged(cohort)]
        changed = [each for each in judged if each.name in self.limits and each.run is None]
        return [*changed, *(each for each in concerns(judged) if each not in changed)]

    def _cohorts(self, rule: Rule) -> list[str]:
        return [name for name in (self._judged_cohort(rule), rule.versus) if name is not None]

    def _judged_cohort(self, rule: Rule) -> str | None:
        """Return the cohort that a rule judges; None if several are possible, which the lookup reports."""
        with suppress(Missing):
            return cohort_of(rule, list(self.document["cohorts"]))
        return None

    def _judged(self, cohort: str) -> Iterator[CohortCheck]:
        for _, group in groupby(cohort_checks(self.document, cohort), key=lambda each: each.run):
            for each in judge_together([_changed(each, self.limits) for each in group]):
                yield self._demand_more_than_chance(each)

    def _demand_more_than_chance(self, each: CohortCheck) -> CohortCheck:
        """Turn a warning about a judged cohort's accuracy into a failure unless a rule demands more than chance."""
        if each.name != "accuracy" or each.status is not Status.WARNING or each.run is not None:
            return each
        own = [rule for rule in self.rules if self._judged_cohort(rule) == each.cohort]
        if not own or any(_exceeds_chance(rule, each.limit) for rule in own):
            return each
        sentence = f"{each.sentence[:-1]}, and no rule of the gate demands more than chance."
        return each.model_copy(update={"status": Status.FAILED, "sentence": sentence})


def _changed(each: CohortCheck, limits: Limits) -> CohortCheck:
    """Return the check, judged again by the limit that the gate sets for it, if any."""
    limit, check = limits.get(each.name), CHECKS[each.name]
    if limit is None:
        return each
    if limit == "off":
        sentence = f"The gate switches this check off. {each.sentence}"
        return each.model_copy(update={"status": Status.OFF, "sentence": sentence})
    own, found = each.limit, check.judge(Evidence(each.number, each.interval, limit))
    moved = f"The gate moves the limit to {check.format(limit)}" + (
        f" from {check.format(own)}" if own is not None else ""
    )
    sentence = f"{found.sentence} {moved}."
    return each.model_copy(update={**found.model_dump(), "sentence": sentence})


def _exceeds_chance(rule: Rule, chance: float | None) -> bool:
    """Return whether only values above chance pass a rule; `chance` is the chance level of accuracy."""
    path = rule.path.removesuffix(".mean")
    if path not in CHANCE or rule.op != ">=" or rule.value is None:
        return False
    least = CHANCE[path] if CHANCE[path] is not None else chance
    return least is not None and rule.value > least
