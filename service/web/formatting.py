"""Formats numbers and times for pages. All functions are pure."""

import re

MINUS, NOTHING = "\N{MINUS SIGN}", "\N{EN DASH}"
HYPHEN = re.compile(r"(?<![^\s([,])-(?=\d)")  # at a number's beginning, not within a name or date
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """Return a value with `digits` decimals; a dash for None."""
    if value is None:
        return NOTHING
    rounded = round(value, digits) + 0.0  # adding 0.0 turns -0.0 into 0.0
    return f"{rounded:{'+' if sign and rounded else ''}.{digits}f}".replace("-", MINUS)


def p_value(value: float | None) -> str:
    """Return a p value with three decimals; a dash for None."""
    return "< 0.001" if value is not None and value < 0.001 else number(value)


def minus(text: str) -> str:
    """Replace the hyphens before negative numbers in a sentence by minus signs."""
    return HYPHEN.sub(MINUS, text)


def duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    left, parts = round(seconds), list[str]()
    for unit, size in UNITS:
        if left >= size or parts:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2]) or "0 s"


def age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit."""
    return "just now" if seconds < 60 else " ".join([*duration(seconds).split()[:2], "ago"])
