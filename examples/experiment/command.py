"""The experiment from beginning to end: pictures, cohorts, audit, page."""

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from examples.experiment.auditing import audit, spec_of
from examples.experiment.cohorts import AUDITED_WORLD, FULL, PAIR, QUICK, make_cohorts
from examples.experiment.page import Cost, Outcome, write_page
from examples.experiment.training import RECIPES
from service.commands.results_table import print_results
from service.errors import SalienceError

HOME = Path(".experiment").resolve()
PAGE = Path(__file__).parents[2] / "docs" / "experiment.md"

# What can be trained beside the two cohorts.
MORE = [name for name in RECIPES if name not in PAIR]

console = Console(soft_wrap=True)


@click.command()
@click.option("--quick", is_flag=True, help="Three runs a cohort, trained on less, and no page unless --page says so.")
@click.option("--also", multiple=True, type=click.Choice(MORE), help="A further cohort; may be given several times.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the job's results to this file.")
@click.option("--page", type=click.Path(path_type=Path), help=f"Where the page goes; without --quick, {PAGE.name}.")
def main(quick: bool, also: Sequence[str], json_file: Path | None, page: Path | None) -> None:
    """Train cohorts with and without human salience, audit them over HTTP, and write what differs."""
    try:
        outcome = run([*PAIR, *also], quick=quick)
    except SalienceError as error:
        sys.exit(f"Error: {error}")
    text = json.dumps(outcome.results, indent=1)
    (outcome.home / "results.json").write_text(text, encoding="utf-8")
    if json_file:
        json_file.write_text(text, encoding="utf-8")
    print_results(outcome.results)
    target = page or (None if quick else PAGE)
    if target:
        write_page(outcome, target)
        console.print(f"What it means is in {target}.")
    console.print(f"Done in {outcome.cost.seconds:.0f} s. The models, pictures and results are in {outcome.home}.")


def run(recipes: Sequence[str], *, quick: bool) -> Outcome:
    """Make the cohorts and audit them. Raises SalienceError."""
    started, scale = time.monotonic(), QUICK if quick else FULL
    home = HOME / ("quick" if quick else "full")
    accuracies = make_cohorts(home, scale, recipes, console.print)
    spec = spec_of(home, recipes, scale.runs)
    console.print(
        f"Auditing {scale.audited} pictures of the set '{AUDITED_WORLD}' under {scale.runs} runs a cohort ..."
    )
    results = audit(home, spec)
    return Outcome(home, scale, accuracies, spec, results, Cost(time.monotonic() - started, _processor_seconds()))


def _processor_seconds() -> float:
    """Of this process and of all that it started and has seen ending."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
