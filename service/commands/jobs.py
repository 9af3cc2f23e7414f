"""`salience submit`, `wait` and `results`: commands that call the HTTP API."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from salience import Client, Job, JobState
from service.commands.arguments import JobId, fills_standard_output, json_option, url_option
from service.commands.gate_files import read_gate
from service.commands.progress import progress
from service.commands.results_table import print_results
from service.commands.verdict import gate_options, report_verdict
from service.commands.verdict_output import EndedJob
from service.gate import Verdict
from service.spec.files import read_spec


@click.command()
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", help="Idempotency key: the same key with the same spec returns the same job.")
@click.option("--wait", is_flag=True, help="Wait until the job has ended, and print its verdict.")
@click.option(
    "--gate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Use the gate in this YAML file."
)
@gate_options
@url_option
@json_option
@click.pass_context
def submit(ctx: click.Context, /, spec: Path, key: str | None, url: str, as_json: bool, **options: Any) -> None:
    """Submit the audit in the file SPEC and print the ID of its job.

    With --wait, the exit status is 0 for pass or, without a gate, success; 1 for fail or inconclusive; 2 for error.
    """
    verdict_options = [name for name in ("allow_inconclusive", "junit", "markdown") if options[name]]
    if verdict_options and not options["wait"]:
        raise click.UsageError(f"--{verdict_options[0].replace('_', '-')} needs --wait")
    fills_standard_output([options["junit"], options["markdown"]], as_json)
    body = read_spec(spec)
    if options["gate"]:
        body["gate"] = read_gate(options["gate"])
    if verdict_options and not body.get("gate"):
        raise click.UsageError(f"--{verdict_options[0].replace('_', '-')} needs a gate; add --gate, or `gate` in SPEC")
    with Client(url) as client:
        job = client.submit(body, key)
        if options["wait"]:
            click.echo(job.id, err=True)
            job = _follow(client, job.id)
    if as_json:
        click.echo(json.dumps(job.raw))
    elif not options["wait"]:
        click.echo(job.id)
    if options["wait"]:
        ctx.exit(_finish(job, as_json, options))


@click.command()
@click.argument("job", type=JobId())
@url_option
@json_option
@click.pass_context
def wait(ctx: click.Context, job: str, url: str, as_json: bool) -> None:
    """Wait until JOB has ended. The exit status is 0 if it succeeded, else 2."""
    with Client(url) as client:
        ended = _follow(client, job)
    click.echo(json.dumps(ended.raw) if as_json else _summary_line(ended))
    ctx.exit(0 if ended.state is JobState.SUCCEEDED else 2)


@click.command()
@click.argument("job", type=JobId())
@url_option
@json_option
def results(job: str, url: str, as_json: bool) -> None:
    """Show the results of JOB: the measures of each cohort, and the differences between cohorts."""
    with Client(url) as client:
        found = client.results(job).raw
    if as_json:
        click.echo(json.dumps(found))
    else:
        print_results(found)


def _finish(job: Job, as_json: bool, options: Mapping[str, Any]) -> int:
    """Print how a job has ended. Returns the exit status."""
    if job.raw["verdict"] is not None:
        verdict = Verdict.model_validate(job.raw["verdict"])
        ended = EndedJob(job.id, verdict, options["allow_inconclusive"])
        return report_verdict(ended, as_json, options["junit"], options["markdown"])
    if not as_json:
        click.echo(_summary_line(job))
    return 0 if job.state is JobState.SUCCEEDED else 2


def _follow(client: Client, job: str) -> Job:
    """Show the job's progress until it has ended. Returns its final state."""
    with progress() as show:
        for current in client.follow(job):
            show(current.state, current.images_done, current.images_total)
    return current


def _summary_line(job: Job) -> str:
    """Return one line with the ID, the state and the error of a job."""
    return f"{job.id} {job.state}" + (f": {job.error}" if job.error else "")
