"""The gate decides from the results of a job whether its models pass. Pure: no database, no HTTP, no numpy.

`rules.py` defines rules, `lookup.py` finds the number that a rule names in a results document, `decision.py` decides
and explains, `soundness.py` defines the checks that come before the rules, and `judgement.py` applies both.
"""

from service.gate.checks import CHECKS
from service.gate.decision import (
    Outcome,
    PolicyUsed,
    RuleResult,
    Verdict,
    decide,
    error_verdict,
    evaluate,
    with_final_results,
)
from service.gate.judgement import cohort_checks, concerns, failed_check, judge
from service.gate.lookup import Missing, Number, NumberLookup, number_lookup
from service.gate.rules import Gate, Rule
from service.gate.soundness import CohortCheck, Limits, Status

__all__ = [
    "CHECKS",
    "CohortCheck",
    "Gate",
    "Limits",
    "Missing",
    "Number",
    "NumberLookup",
    "Outcome",
    "PolicyUsed",
    "Rule",
    "RuleResult",
    "Status",
    "Verdict",
    "cohort_checks",
    "concerns",
    "decide",
    "error_verdict",
    "evaluate",
    "failed_check",
    "judge",
    "number_lookup",
    "with_final_results",
]  # fmt: skip
