"""Describes the structure of a cohort's results: the path of every number that has an interval."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.measures import MEASURES
from service.measures.measure import CHANCE_STATISTICS, Measure
from service.measures.performance import APCER_LEVELS, PERFORMANCE

Tree = dict[str, Any]

MIN_RUNS_ACROSS = 3  # runs that a measure across runs needs for an interval: one pair does not show how pairs vary
SPREAD_STATISTICS = ("sd", "q05", "q25", "q50", "q75", "q95")  # they have an interval only if a rule names them


def skeleton(options: Mapping[str, Any], runs: int, *, out_of_set: bool, groups: Sequence[str] = ()) -> Tree:
    """Return the shape of a cohort's results, with None for every number that has an interval.

    `options` has the options of each requested measure by its name, None for a measure without options. The names of
    classes and groups are not known, so `strata.class` and `strata.COLUMN` are the tree of a single class or group.
    """
    every = {name: MEASURES[name] for name in options}
    requested = {name: each for name, each in every.items() if runs >= MIN_RUNS_ACROSS or not each.across_runs}
    means: Tree = {**{name: _mean(each) for name, each in requested.items()}, "degenerate": {"mean": None}}
    worst = {"worst_type": {column: dict.fromkeys(APCER_LEVELS) for column in groups}} if groups else {}
    performance: Tree = {**dict.fromkeys(PERFORMANCE), **worst}
    shared: Tree = {"degenerate": {"mean": None}, "performance": performance}
    run = {"measures": {name: _of_run(each, options[name]) for name, each in every.items()}, **shared}
    tree: Tree = {
        "accuracy": None,
        **shared,
        "measures": {name: _of_cohort(each, options[name]) for name, each in requested.items()},
        "runs": [run] * runs,
        "strata": {
            **dict.fromkeys(("class", *groups), _of_stratum(requested)),
            "correct": {"true": means, "false": means},
        },
    }
    if out_of_set:
        compared = {name: {"mean": None} for name in ("images", "out_of_set", "difference")}
        tree["out_of_set"] = dict.fromkeys(columns_compared_out_of_set(options), compared)
    return tree


def columns_compared_out_of_set(options: Mapping[str, Any]) -> list[str]:
    """Return the columns whose distributions in set and out of set the results compare; `options` as in `skeleton`."""
    compared = [each for name, each in MEASURES.items() if each.is_compared_out_of_set and name in options]
    columns = [column for each in compared for column in each.column_bounds(options[each.name])]
    return [*columns, "top_probability"]


def _of_cohort(measure: Measure, options: Any) -> Tree:
    parts = {part: _number(measure, beside) for part, beside in measure.parts(options).items()}
    return {**_number(measure, (*measure.statistics, *measure.chance_statistics)), "parts": parts}


def _of_run(measure: Measure, options: Any) -> Tree:
    if measure.across_runs:
        return _mean(measure)
    variants = measure.variants(options)
    parts = {part: _mean(measure) if part in variants else {"mean": None} for part in measure.parts(options)}
    return {**_mean(measure), "parts": parts}


def _of_stratum(measures: Mapping[str, Measure]) -> Tree:
    return {
        **{name: _number(each, each.chance_statistics) for name, each in measures.items()},
        "degenerate": {"mean": None},
        "performance": dict.fromkeys(PERFORMANCE),
    }


def _number(measure: Measure, beside: Sequence[str] = ()) -> Tree:
    """Return the statistics of a measure; a part of a measure across runs has only a mean."""
    if measure.across_runs:
        return dict.fromkeys(("mean", *(each for each in beside if each in CHANCE_STATISTICS)))
    return dict.fromkeys(("mean", *SPREAD_STATISTICS, *beside))


def _mean(measure: Measure) -> Tree:
    """Return the statistics of a measure that have intervals in runs and strata too."""
    return dict.fromkeys(("mean", *measure.chance_statistics))
