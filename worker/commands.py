"""`salience worker`, `audit` and `inspect`: the commands that need torch, which they import when they run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.commands.arguments import Output, OutputFile, json_option
from service.commands.progress import progress
from service.commands.results_table import print_results
from service.commands.verdict import report_verdict
from service.commands.verdict_output import EndedJob
from service.domain.inspection import Inspect
from service.domain.job import Job, JobState
from service.gate import Verdict
from service.spec.files import absolute_uri, parse_spec, read_spec
from service.telemetry import logs
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from worker.local import LocalAudit


@click.command()
def worker() -> None:
    """Process the jobs in SALIENCE_DATABASE_URL. SALIENCE_BROKER_URL notifies the worker of new work.

    SALIENCE_PROCESSES sets how many shards run at once [default: one per GPU or CPU core]. SALIENCE_DEVICE sets the
    device.
    """
    settings = WorkerSettings.read()
    logs.configure(settings.log_format, settings.log_level)
    if settings.embedded:
        raise click.ClickException(
            "SALIENCE_BROKER_URL is not set. Set it, or run `salience serve`, which then starts its own worker."
        )
    from worker.app import make_app
    from worker.runtime.devices import processes_for

    processes = processes_for(settings.device, settings.processes)
    quiet = ("--without-gossip", "--without-mingle")
    # --quiet suppresses the banner, which is not a log record.
    make_app(settings).worker_main(["--quiet", "worker", f"--concurrency={processes}", *quiet])


@click.command()
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=OutputFile(), help="Also write the results to this file.")
@json_option
@click.pass_context
def audit(ctx: click.Context, spec: Path, output: Output | None, as_json: bool) -> None:
    """Run the audit in the file SPEC without a server. The numbers are the same, and no job is stored.

    With a gate, the exit status is 0 for pass, 1 for fail or inconclusive, 2 for error.
    """
    as_json = as_json or output == Output(None)
    parsed = parse_spec(read_spec(spec))
    from worker.local import local_audit

    with local_audit(parsed, WorkerSettings.read()) as prepared:
        ended = _run(prepared)
        results = prepared.store.jobs.summary(prepared.job)
    if results is None:
        _print_failure(ended, as_json)
        ctx.exit(2)
    if output and output.path:
        output.write(results.encode())
    if as_json:
        click.echo(results)
    else:
        print_results(json.loads(results))
    if ended.verdict is not None:
        ended_job = EndedJob(ended.id, Verdict.model_validate(ended.verdict))
        ctx.exit(report_verdict(ended_job, as_json, None, None))


@click.command()
@click.argument("uri")
@click.option("--images", is_flag=True, help="URI is an image set.")
@click.option("--architecture", help="Architecture of a checkpoint: torchvision/..., timm/...")
@click.option(
    "--size", type=(int, int), help="Height and width of the input [default: those of the model, else 224 224]."
)
@json_option
def inspect(uri: str, images: bool, architecture: str | None, size: tuple[int, int] | None, as_json: bool) -> None:
    """Inspect the model at a URI or path, or with --images the image set, without an audit."""
    given: dict[str, object] = {"uri": absolute_uri(uri, Path.cwd())}
    model = given | ({"architecture": architecture} if architecture else {})
    model |= {"preprocessing": {"size": size}} if size else {}
    request = Inspect.model_validate({"images": given} if images else {"model": model})
    settings = WorkerSettings.read()
    from worker.inputs.resolver import InputResolver
    from worker.inspection import Inspector
    from worker.models.sandbox import limits_from, sandbox_for

    resolver = InputResolver.from_settings(settings, (Path("/"),)).for_job("inspection")
    inspector = Inspector(resolver, sandbox_for(limits_from(settings)))
    found = inspector.inspect(request)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name}: {text}")


def _run(prepared: "LocalAudit") -> Job:
    with progress() as show:
        return prepared.run(lambda job: show(job.state, job.images_done, job.images_total))


def _print_failure(job: Job, as_json: bool) -> None:
    error = job.error or {"type": "error", "detail": f"the audit has {JobState(job.state)}"}
    if as_json:
        click.echo(json.dumps(error))
    click.echo(f"Error: {error['detail']}", err=True)
