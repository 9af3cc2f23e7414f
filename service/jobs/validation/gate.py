"""Checks the rules of a gate before its job runs: each must name a number that the results will have.

A rule finds its number by its path in the results. The checks look the path up in the skeleton of the results.
"""

from collections.abc import Iterator, Mapping, Sequence

from service.errors import FieldProblem
from service.gate import Missing, Rule
from service.gate.lookup import cohort_of, resolve_path
from service.measures import MEASURES
from service.measures.tree import MIN_RUNS_ACROSS, Tree, skeleton
from service.spec.cohort import Cohort
from service.spec.model import JobSpec

# Runs, image sets, and correctly classified images differ between cohorts, so these numbers are not paired by image.
UNPAIRED_PREFIXES = ("runs.", "out_of_set.", "strata.correct.")


def gate_problems(rules: Sequence[Rule], spec: JobSpec) -> Iterator[tuple[int, str, str]]:
    """Yield every problem of a spec's rules: the number of the rule, its field, and what to change."""
    for number, rule in enumerate(rules):
        for field, detail in _problems(rule, spec):
            yield number, field, detail


def baseline_problem(spec: JobSpec) -> FieldProblem | None:
    """Return the problem of a baseline's name, None if there is none."""
    if spec.baseline and spec.baseline.name in [cohort.name for cohort in spec.cohorts]:
        return FieldProblem(
            "baseline.name", f"{spec.baseline.name!r} is already the name of a cohort; choose another name"
        )
    return None


def _problems(rule: Rule, spec: JobSpec) -> Iterator[tuple[str, str]]:
    cohorts = {cohort.name: cohort for cohort in spec.cohorts}
    others = [*cohorts, *([spec.baseline.name] if spec.baseline else [])]
    if rule.versus is not None and rule.versus not in others:
        yield "versus", f"there is no cohort {rule.versus!r}; name one of {', '.join(others)}"
        return
    try:
        name = cohort_of(rule, list(cohorts))
    except Missing as missing:
        yield "cohort", f"{missing}; name one"
        return
    if name not in cohorts:
        yield "cohort", f"there is no cohort {name!r}; name one of {', '.join(cohorts)}"
    elif name == rule.versus:
        yield "versus", "is the cohort of the rule itself; name another cohort"
    else:
        yield from _unknown_measure(rule, spec, cohorts[name])


def _unknown_measure(rule: Rule, spec: JobSpec, cohort: Cohort) -> Iterator[tuple[str, str]]:
    tree = results_tree(spec, cohort)
    place = resolve_path(tree, _any_value(rule.measure, tree["strata"]))
    if place is None:
        yield "measure", _why_missing(rule.measure, spec, len(cohort.runs))
        return
    holder, key = place
    found = holder[int(key)] if isinstance(holder, list) else holder[key]
    if isinstance(found, Mapping) and rule.statistic not in found:
        offered = ", ".join(key for key, value in found.items() if value is None)
        message = (
            f"has no {rule.statistic} with an interval; it has {offered}"
            if offered
            else "is not a single number; use one of the numbers in it"
        )
        yield "statistic" if offered else "measure", f"{rule.measure} {message}"
    elif not isinstance(found, Mapping | None):
        yield "measure", f"{rule.measure} is not a single number; use one of the numbers in it"
    elif found is None and rule.statistic != "mean":
        yield "statistic", f"{rule.measure} is a single number, which has no {rule.statistic}; remove statistic"
    else:
        yield from _unsuitable_number(rule, spec)


def _unsuitable_number(rule: Rule, spec: JobSpec) -> Iterator[tuple[str, str]]:
    """Yield the problem of a rule whose number exists, but has no interval of the kind that the rule needs."""
    if spec.stop and rule.spread:
        yield (
            "statistic",
            f"a job with stop judges means only, and {rule.measure} is a measure of spread; remove stop",
        )
    elif spec.stop and rule.versus is None and rule.measure.removesuffix(".mean").split(".")[-1] == "degenerate":
        yield (
            "measure",
            "a job with stop needs intervals that hold at every interim look, and degenerate has none; remove stop",
        )
    elif rule.versus is not None and (
        rule.spread or rule.is_judged_at_end or rule.measure.startswith(UNPAIRED_PREFIXES)
    ):
        yield "measure", f"{rule.measure} is not compared between cohorts; remove versus, or use another number"


def _why_missing(measure: str, spec: JobSpec, runs: int) -> str:
    across = [name for name in spec.measures if MEASURES[name].across_runs and name in measure.split(".")]
    if across and runs < MIN_RUNS_ACROSS:
        return f"{across[0]} needs {MIN_RUNS_ACROSS} runs for an interval, and the cohort has {runs}; add runs"
    names = ", ".join(spec.measures)
    return (
        f"the results will have no {measure} with an interval; the job's measures are {names}, and a part has a name "
        "such as noise.parts.0.1; add it to measures or options, or use another number"
    )


def _any_value(path: str, strata: Tree) -> str:
    """Leave out the class or group in the path of a stratum, since validation does not know the values."""
    for kind, tree in strata.items():
        inside = path.removeprefix(f"strata.{kind}.")
        if inside != path and kind != "correct":
            for number in _paths(tree):
                if inside.endswith(f".{number}") and inside != f".{number}":
                    return f"strata.{kind}.{number}"
    return path


def _paths(tree: Tree) -> Iterator[str]:
    """Yield the path of every number, and of every object that holds numbers."""
    for key, value in tree.items():
        yield key
        if isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in _paths(dict(value)))


def results_tree(spec: JobSpec, cohort: Cohort) -> Tree:
    """Return the tree of a cohort's results, with None in place of every number that has an interval."""
    options = {name: spec.options_of(name) for name in spec.measures}
    groups = spec.images.groups
    return skeleton(options, len(cohort.runs), out_of_set=spec.out_of_set is not None, groups=groups)
