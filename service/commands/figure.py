"""`salience figure`: one measure of a job's cohorts as a figure for a paper."""

import json
from pathlib import Path
from typing import get_args

import click

from service.client import Client
from service.commands.arguments import JobId, OutputFile, json_option, url_option
from service.figures import COLUMN, SUFFIXES, draw
from service.spec import Measure


@click.command()
@click.argument("job", type=JobId())
@click.option("--measure", type=click.Choice(get_args(Measure)), required=True, help="What to show.")
@click.option(
    "-o", "--output", type=OutputFile(), required=True,
    help=f"Where to write it; its ending says as what: {', '.join(SUFFIXES)}.",
)  # fmt: skip
@click.option("--width", type=click.FloatRange(30, 400), default=COLUMN, show_default=True, help="In millimetres.")
@url_option
@json_option
def figure(job: str, measure: str, output: Path, width: float, url: str, as_json: bool) -> None:  # noqa: PLR0913  # options
    """Draw a measure of JOB's cohorts with its 95 % intervals, as wide as a column of text."""
    if output.suffix not in SUFFIXES:
        raise click.BadParameter(f"end it with one of {', '.join(SUFFIXES)}", param_hint="'--output'")
    with Client(url) as client:
        found = client.results(job).raw
    if not any(measure in cohort["measures"] for cohort in found["cohorts"].values()):
        had = sorted({name for cohort in found["cohorts"].values() for name in cohort["measures"]})
        raise click.BadParameter(f"the job did not measure it; it has {', '.join(had)}", param_hint="'--measure'")
    draw(found, measure, output, width)
    click.echo(json.dumps({"file": str(output)}) if as_json else str(output))
