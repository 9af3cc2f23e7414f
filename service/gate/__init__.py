"""The gate: from numbers to a decision. Pure: no database, no HTTP, no numpy.

`rules.py` is what is asked, `numbers.py` finds the number that a rule names in a results document, `judging.py`
decides and explains.
"""

from service.gate.judging import Judged, Outcome, PolicyUsed, Verdict, decide, judge, trouble
from service.gate.numbers import Missing, Number, Numbers, numbers_of
from service.gate.rules import Gate, Rule

__all__ = [
    "Gate", "Judged", "Missing", "Number", "Numbers", "Outcome", "PolicyUsed", "Rule", "Verdict", "decide", "judge",
    "numbers_of", "trouble",
]  # fmt: skip
