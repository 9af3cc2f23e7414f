"""Prints results as tables: the mean of every measure by cohort, and the differences between cohorts."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.domain.results_format import complete, format_notice
from service.gate import CHECKS, CohortCheck, Status, cohort_checks, concerns
from service.measures import MEASURES
from service.measures.performance import PERFORMANCE
from service.spec.model import Json

CHANCE = {"chance": "by chance", "corrected": "corrected"}
SOUNDNESS_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red"}


def print_results(results: Json) -> None:
    """Print warnings, soundness checks, measures with 95 % intervals, and the differences between cohorts.

    For results of an earlier format, a notice comes first.
    """
    console, results = Console(), complete(results)
    if notice := format_notice(results):
        console.print(notice, markup=False, soft_wrap=True)
    for warning in results["warnings"]:
        console.print(f"Warning: {warning}", markup=False)
    _print_soundness(results, console)
    console.print(_cohorts(results["cohorts"]))
    for (a, b), found in groupby(results["differences"], key=lambda each: (each["a"], each["b"])):
        console.print(_differences(f"Difference: {a} - {b}", list(found)))


def _print_soundness(results: Json, console: Console) -> None:
    """Print the outcome of every check by cohort, then the sentences of those that fail or warn."""
    found = {name: cohort_checks(results, name) for name in results["soundness"]}
    if not found:
        console.print("Soundness: not available")
        return
    table = Table("check", *map(escape, found), title="Soundness", title_justify="left")
    for name in CHECKS:
        of_cohorts = [each for checks in found.values() for each in checks if (each.name, each.run) == (name, None)]
        table.add_row(
            name, *(f"[{SOUNDNESS_COLOURS.get(each.status, 'default')}]{each.status}[/]" for each in of_cohorts)
        )
    console.print(table)
    print_checks(concerns([each for checks in found.values() for each in checks]), console)


def print_checks(checks: Sequence[CohortCheck], console: Console) -> None:
    """Print a line for each soundness check."""
    for each in checks:
        colour = SOUNDNESS_COLOURS.get(each.status, "default")
        about = f"{each.name} of {each.subject}: {each.sentence}"
        console.print(f"[{colour}]{each.status}[/]: {escape(about)}", soft_wrap=True)


def _cohorts(cohorts: Json) -> Table:
    table = Table("measure", *cohorts, title="Mean of each measure, 95 % interval", title_justify="left")
    for measure in MEASURES:
        found = [cohort["measures"].get(measure) for cohort in cohorts.values()]
        if any(found):
            table.add_row(measure, *(_cell(each) for each in found))
        for name, title in CHANCE.items():
            if any(each and name in each for each in found):
                table.add_row(f"{measure} {title}", *(_beside_mean(each, name) for each in found))
    accuracies = [cohort["accuracy"] for cohort in cohorts.values()]
    if any(each is not None for each in accuracies):
        table.add_row("accuracy", *("" if each is None else f"{each:.3f}" for each in accuracies))
    for name, title in PERFORMANCE.items():
        numbers = [_performance(cohort, name) for cohort in cohorts.values()]
        if name != "accuracy" and any(each["mean"] is not None for each in numbers):
            table.add_row(title, *map(_cell, numbers))
    table.add_row("degenerate maps", *(_cell(cohort["degenerate"]) for cohort in cohorts.values()))
    return table


def _beside_mean(found: Json | None, name: str) -> str:
    """Return the cell of a number that stands beside the mean; if it is null, the reason in short."""
    if found is None or name not in found:
        return ""
    if found[name] is None:
        return f"none: {found[f'{name}_note'].partition(':')[0]}"
    return _cell({"mean": found[name], "ci95": found[f"{name}_ci95"]})


def _performance(cohort: Json, name: str) -> Json:
    """Return a number of detection performance; None if the results do not have it."""
    found = cohort["performance"] or {}
    return {"mean": found.get(name), "ci95": found.get(f"{name}_ci95")}


def _differences(title: str, differences: list[Json]) -> Table:
    table = Table("measure", "difference", "d_z", "p (Holm)", "differs", title=title, title_justify="left")
    for each in differences:
        if each["measure"] in MEASURES:
            d_z = "" if each["d_z"] is None else f"{each['d_z']:+.2f}"
            table.add_row(each["measure"], _cell(each, "+"), d_z, _p_value(each["p_holm"]), _differs(each))
    return table


def _differs(each: Json) -> str:
    """Return in words whether two cohorts differ, or, if a cohort has only one run, whether the two models differ."""
    if each["differs"] is None:
        return "not available" if each["ci95"] else "unknown"  # results of earlier formats have an interval alone
    if not each["differs"]:
        return "no"
    return "these two models differ" if each["compares"] == "models" else "yes"


def _p_value(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _cell(found: Json | None, sign: str = "") -> str:
    if found is None or found["mean"] is None:
        return ""
    interval = found["ci95"]
    return f"{found['mean']:{sign}.3f}" + (f" [{interval[0]:{sign}.3f}, {interval[1]:{sign}.3f}]" if interval else "")
