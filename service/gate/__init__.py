"""The gate: from numbers to a decision. Pure: no database, no HTTP, no numpy.

`rules.py` defines rules, `lookup.py` finds the number that a rule names in a results document, and `decision.py`
decides and explains.
"""

from service.gate.decision import Outcome, PolicyUsed, RuleResult, Verdict, decide, error_verdict, evaluate
from service.gate.lookup import Missing, Number, NumberLookup, number_lookup
from service.gate.rules import Gate, Rule

__all__ = [
    "Gate",
    "Missing",
    "Number",
    "NumberLookup",
    "Outcome",
    "PolicyUsed",
    "Rule",
    "RuleResult",
    "Verdict",
    "decide",
    "error_verdict",
    "evaluate",
    "number_lookup",
]  # fmt: skip
