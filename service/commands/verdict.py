"""`salience verdict`, and the output of every command that ends with a verdict: table, files and exit status."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from salience import Client
from service.commands.arguments import JobId, Output, OutputFile, fills_standard_output, json_option, url_option
from service.commands.verdict_output import EndedJob, junit, markdown, print_verdict
from service.gate import Verdict

Command = TypeVar("Command", bound=Callable[..., Any])


def gate_options(command: Command) -> Command:
    """Add the options that every command has which prints a verdict."""
    for option in (
        click.option("--markdown", type=OutputFile(), help="Append the verdict to this file, as Markdown."),
        click.option("--junit", type=OutputFile(), help="Write the rules to this file, as test cases in JUnit XML."),
        click.option("--allow-inconclusive", is_flag=True, help="Exit with 0 for an inconclusive verdict."),
    ):
        command = option(command)
    return command


def report_verdict(ended: EndedJob, as_json: bool, junit_output: Output | None, markdown_output: Output | None) -> int:
    """Print a verdict and write the requested files. Returns the exit status."""
    if junit_output:
        junit_output.write(junit(ended))
    if markdown_output:
        markdown_output.write(markdown(ended).encode(), append=True)
    if not fills_standard_output([junit_output, markdown_output], as_json):
        print_verdict(ended)
    return ended.status


@click.command()
@click.argument("job", type=JobId())
@gate_options
@url_option
@json_option
@click.pass_context
def verdict(ctx: click.Context, /, job: str, url: str, as_json: bool, **options: Any) -> None:
    """Show the verdict of JOB, which must have ended.

    The exit status is 0 for pass, 1 for fail or inconclusive, 2 for error.
    """
    fills_standard_output([options["junit"], options["markdown"]], as_json)
    with Client(url) as client:
        found = client.verdict(job).raw
    if as_json:
        click.echo(json.dumps(found))
    ended = EndedJob(job, Verdict.model_validate(found), options["allow_inconclusive"])
    ctx.exit(report_verdict(ended, as_json, options["junit"], options["markdown"]))
