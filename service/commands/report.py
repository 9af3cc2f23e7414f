"""`salience report`: a job's report as a file."""

import json
from pathlib import Path

import click

from service.client import Client
from service.commands.arguments import JobId, OutputFile, json_option, url_option


@click.command()
@click.argument("job", type=JobId())
@click.option("-o", "--output", type=OutputFile(), help="Write it here; else to report-JOB.html.")
@url_option
@json_option
def report(job: str, output: Path | None, url: str, as_json: bool) -> None:
    """Save the report of JOB: one HTML file that needs nothing outside itself."""
    with Client(url) as client:
        page = client.report(job)
    path = output or Path(f"report-{job}.html")
    path.write_text(page, encoding="utf-8")
    size = len(page.encode())
    click.echo(json.dumps({"file": str(path), "bytes": size}) if as_json else f"{path}, {size / 1e6:.2f} MB")
