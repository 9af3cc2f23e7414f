"""`salience figure`: one measure of a job's cohorts as a figure for a paper."""

import json

import click

from salience import Client
from service.commands.arguments import JobId, Output, OutputFile, fills_standard_output, json_option, url_option
from service.commands.figures import COLUMN_MM, KINDS, draw
from service.measures import MEASURES


@click.command()
@click.argument("job", type=JobId())
@click.option("--measure", type=click.Choice(list(MEASURES)), required=True, help="Measure to draw.")
@click.option(
    "-o", "--output", type=OutputFile(), required=True,
    help=f"File to write; its extension gives the format: {', '.join(KINDS)}.",
)  # fmt: skip
@click.option("--format", "kind", type=click.Choice(KINDS), help="File format [default: by the extension, else pdf].")
@click.option(
    "--width", type=click.FloatRange(30, 400), default=COLUMN_MM, show_default=True, help="Width in millimetres."
)
@url_option
@json_option
def figure(job: str, measure: str, output: Output, kind: str | None, width: float, url: str, as_json: bool) -> None:  # noqa: PLR0913  # options
    """Draw a measure of JOB's cohorts with 95 % intervals. The default width is that of a journal column."""
    alone = fills_standard_output([output], as_json)
    kind = kind or (output.path.suffix.removeprefix(".") if output.path else KINDS[0])
    if kind not in KINDS:
        raise click.BadParameter(
            f"unknown file extension; use one of {', '.join(KINDS)}, or give --format", param_hint="'--output'"
        )
    with Client(url) as client:
        found = client.results(job).raw
    if not any(measure in cohort["measures"] for cohort in found["cohorts"].values()):
        had = sorted({name for cohort in found["cohorts"].values() for name in cohort["measures"]})
        raise click.BadParameter(f"the job has no {measure}; choose one of {', '.join(had)}", param_hint="'--measure'")
    output.write(draw(found, measure, kind, width))
    if as_json:
        click.echo(json.dumps({"file": str(output)}))
    elif not alone:
        click.echo(str(output))
