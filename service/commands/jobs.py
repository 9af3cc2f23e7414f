"""`salience submit`, `wait` and `results`: the HTTP API from the shell."""

import json
from pathlib import Path
from typing import Any

import click

from service.client import Client
from service.commands.progress import progress
from service.commands.table import print_results
from service.domain import JobState, Json
from service.spec_files import read_spec


class JobId(click.ParamType[str]):
    """The ID of a job."""

    name = "job"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The ID as it is, unless it is empty or leads elsewhere."""
        if not value.strip(".") or "/" in value:
            self.fail("give the ID that `salience submit` printed", param, ctx)
        return value


url_option = click.option(
    "--url",
    envvar="SALIENCE_URL",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="Where the service is; or set SALIENCE_URL.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", help="Idempotency-Key: the same key with the same spec is the same job.")
@url_option
@json_option
def submit(spec: Path, key: str | None, url: str, as_json: bool) -> None:
    """Submit the audit in the file SPEC; print its job's ID."""
    with Client(url) as client:
        job = client.submit(read_spec(spec), key)
    click.echo(json.dumps(job) if as_json else job["id"])


@click.command()
@click.argument("job", type=JobId())
@url_option
@json_option
@click.pass_context
def wait(ctx: click.Context, job: str, url: str, as_json: bool) -> None:
    """Wait until JOB has ended. Exit status 0 if it succeeded, else 2."""
    with Client(url) as client:
        ended = _follow(client, job)
    click.echo(json.dumps(ended) if as_json else _tell(ended))
    ctx.exit(0 if ended["state"] == JobState.SUCCEEDED else 2)


@click.command()
@click.argument("job", type=JobId())
@url_option
@json_option
def results(job: str, url: str, as_json: bool) -> None:
    """Show the results of JOB: the measures of each cohort, and what differs."""
    with Client(url) as client:
        found: dict[str, Any] = client.results(job)
    if as_json:
        click.echo(json.dumps(found))
    else:
        print_results(found)


def _follow(client: Client, job: str) -> Json:
    """Show the job's progress until it has ended. Returns it as it ended."""
    seen: Json = {}
    with progress() as show:
        for seen in client.follow(job):
            done = seen["progress"]
            show(seen["state"], done["images_done"], done["images_total"])
    return seen


def _tell(job: Json) -> str:
    """How a job has ended, in a line."""
    reason = f": {job['error']['detail']}" if job["error"] else ""
    return f"{job['id']} {job['state']}{reason}"
