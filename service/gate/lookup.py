"""Finds the number that a rule names, with its 95 % interval, in a results document.

Names are paths through a cohort's results; the name of a measure means `measures.NAME`. Keys may contain dots
(`noise.parts.0.1`), so a path is matched against the keys of the results. The interval of `mean` is `ci95`, that of
any other number `NAME` is `NAME_ci95`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.gate.rules import Rule

Json = Mapping[str, Any]
RESUBMIT = "submit the job again with these rules as its gate, which reuses the computed numbers"


@dataclass(frozen=True)
class Number:
    """A number of a cohort's results. `interval` is None if the results have none; `note` may say why.

    The note of a number with an interval says how far the interval can be relied on.
    """

    value: float
    interval: tuple[float, float] | None
    cohort: str
    images: int | None = None
    note: str | None = None


class Missing(Exception):
    """The results do not have the number of a rule; the message says why."""


NumberLookup = Callable[[Rule], Number]


def number_lookup(document: Json) -> NumberLookup:
    """Return a function that finds the number of a rule in a results document, and raises Missing."""

    def find(rule: Rule) -> Number:
        cohort = cohort_of(rule, list(document["cohorts"]))
        if rule.versus is not None:
            return _difference(document, rule, cohort)
        _check_cohort(cohort, document["cohorts"])
        return _read(document, rule, cohort)

    return find


def cohort_of(rule: Rule, cohorts: list[str]) -> str:
    """Return the cohort that a rule is about. Raises Missing if the rule names none and several are possible."""
    if rule.cohort is not None:
        return rule.cohort
    left = [name for name in cohorts if name != rule.versus]
    if len(left) != 1:
        raise Missing(f"the rule names no cohort, and it could be any of {', '.join(left) or 'none'}")
    return left[0]


def find_paths(tree: Json, path: str) -> Iterator[tuple[Any, str]]:
    """Yield the pairs (container, key) that a path may refer to, longer keys first, since keys may contain dots."""
    for key in sorted(_keys(tree), key=len, reverse=True):
        if path == key:
            yield tree, key
        elif path.startswith(f"{key}."):
            yield from find_paths(_child(tree, key), path[len(key) + 1 :])


def resolve_path(cohort: Json, path: str) -> tuple[Any, str] | None:
    """Return the container and the key that a path refers to in a cohort's results, or None without such a key."""
    for tree in (cohort["measures"], cohort):
        for found in find_paths(tree, path):
            return found
    return None


def _keys(tree: Any) -> list[str]:
    if isinstance(tree, Mapping):
        return list(tree)
    return [str(number) for number in range(len(tree))] if isinstance(tree, list) else []


def _child(tree: Any, key: str) -> Any:
    return tree[int(key)] if isinstance(tree, list) else tree[key]


def _read(document: Json, rule: Rule, cohort: str) -> Number:
    place = resolve_path(document["cohorts"][cohort], rule.measure)
    if place is None:
        raise Missing(f"the results of cohort {cohort!r} have no {rule.measure}")
    holder, name = place
    found = _child(holder, name)
    if isinstance(found, Mapping):
        holder, name = found, rule.statistic
        if name not in holder:
            raise Missing(f"{rule.measure} has no {name} in the results of cohort {cohort!r}")
        found = holder[name]
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Missing(f"{rule.path} of cohort {cohort!r} could not be computed{_reason(holder, name)}")
    # The rows of a matrix of runs are lists, which have no intervals.
    beside = holder.get("ci95" if name == "mean" else f"{name}_ci95") if isinstance(holder, Mapping) else None
    note = holder.get(f"{name}_note", holder.get("note")) if isinstance(holder, Mapping) else None
    return Number(float(found), _interval(beside), cohort, _images(document), note)


def _reason(holder: Any, name: str) -> str:
    """Return why a number is null, if the results say so."""
    if not isinstance(holder, Mapping):
        return ""
    reasons = holder.get("reasons", {})
    return f": it {reasons[name]}" if name in reasons else f": {note}" if (note := holder.get(f"{name}_note")) else ""


def _difference(document: Json, rule: Rule, cohort: str) -> Number:
    """Return the cohort's number minus that of `versus`, paired by image."""
    baseline = document.get("baseline") or {}
    if baseline.get("name") == rule.versus and baseline.get("differs"):
        differs = "; ".join(baseline["differs"])
        raise Missing(f"job {baseline['job']} cannot be the baseline {rule.versus!r}, because these differ: {differs}")
    for each in document["differences"]:
        if each["measure"] != rule.path or {each["a"], each["b"]} != {cohort, rule.versus}:
            continue
        sign = 1 if each["a"] == cohort else -1
        found = _interval(each["ci95"])
        turned = found and (found if sign > 0 else (-found[1], -found[0]))
        return Number(sign * each["mean"], turned, cohort, _images(document), each.get("note"))
    for name in (cohort, rule.versus):
        _check_cohort(name, [*document["cohorts"], *([baseline["name"]] if baseline else [])])
    raise Missing(
        f"the results do not compare {rule.path} of {cohort!r} with {rule.versus!r}; numbers of strata and "
        f"statistics other than means are compared only if the job's own gate has a rule for them; {RESUBMIT}"
    )


def _check_cohort(cohort: str | None, cohorts: Collection[str]) -> None:
    if cohort not in cohorts:
        raise Missing(f"the results have no cohort {cohort!r}, only {', '.join(cohorts)}")


def _interval(found: Any) -> tuple[float, float] | None:
    return (float(found[0]), float(found[1])) if found else None


def _images(document: Json) -> int | None:
    read = document.get("provenance", {}).get("images", {}).get("read")
    return int(read) if read is not None else None
