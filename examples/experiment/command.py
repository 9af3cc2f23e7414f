"""The command of the experiment: makes images, trains cohorts, audits them and writes the page."""

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from examples.experiment.auditing import audit, make_spec
from examples.experiment.cohorts import AUDITED_WORLD, FULL, PAIR, QUICK, make_cohorts
from examples.experiment.page import Cost, Outcome, write_page
from examples.experiment.training import RECIPES
from service.commands.results_table import print_results
from service.errors import SalienceError

HOME = Path(".experiment").resolve()
PAGE = Path(__file__).parents[2] / "docs" / "experiment.md"

# Recipes of the cohorts that --also can add.
MORE = [name for name in RECIPES if name not in PAIR]

console = Console(soft_wrap=True)


@click.command()
@click.option("--quick", is_flag=True, help="Train on fewer images; write a page only with --page.")
@click.option("--also", multiple=True, type=click.Choice(MORE), help="Recipe of a further cohort; may be repeated.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the job's results to this file.")
@click.option(
    "--page", type=click.Path(path_type=Path), help=f"Page to write [default: {PAGE.name}; with --quick, no page]."
)
def main(quick: bool, also: Sequence[str], json_file: Path | None, page: Path | None) -> None:
    """Train cohorts with and without human salience, audit them over HTTP, and write how they differ."""
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
        console.print(f"The interpretation is in {target}.")
    console.print(f"Done in {outcome.cost.seconds:.0f} s. The models, images and results are in {outcome.home}.")


def run(recipes: Sequence[str], *, quick: bool) -> Outcome:
    """Make the cohorts and audit them. Raises SalienceError."""
    start, scale = time.monotonic(), QUICK if quick else FULL
    home = HOME / ("quick" if quick else "full")
    accuracies = make_cohorts(home, scale, recipes, console.print)
    spec = make_spec(home, recipes, scale.runs)
    console.print(f"Auditing {scale.audited} images of the set '{AUDITED_WORLD}' with {scale.runs} runs per cohort ...")
    results = audit(home, spec)
    return Outcome(home, scale, accuracies, spec, results, Cost(time.monotonic() - start, _processor_seconds()))


def _processor_seconds() -> float:
    """Return the processor time of this process and of its child processes that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
