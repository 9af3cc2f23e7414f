"""`salience report`: saves the report of a job to a file."""

import json
from pathlib import Path

import click

from salience import Client
from service.commands.arguments import JobId, Output, OutputFile, fills_standard_output, json_option, url_option


@click.command()
@click.argument("job", type=JobId())
@click.option("-o", "--output", type=OutputFile(), help="File to write [default: report-JOB.html].")
@url_option
@json_option
def report(job: str, output: Output | None, url: str, as_json: bool) -> None:
    """Save the report of JOB as one HTML file that works offline."""
    only_document = fills_standard_output([output], as_json)
    with Client(url) as client:
        page = client.report(job).encode()
    target = output or Output(Path(f"report-{job}.html"))
    target.write(page)
    if as_json:
        click.echo(json.dumps({"file": str(target), "bytes": len(page)}))
    elif not only_document:
        click.echo(f"{target}, {len(page) / 1e6:.2f} MB")
