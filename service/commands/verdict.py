"""`salience verdict`, and how every command that ends with a verdict tells it: a table, files, an exit status."""

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
    """The options of a command that ends with a verdict."""
    for option in (
        click.option("--markdown", type=OutputFile(), help="Add the verdict to this file, as Markdown."),
        click.option(
            "--junit", type=OutputFile(), help="Write the rules to this file, as the test cases of JUnit's XML."
        ),
        click.option("--allow-inconclusive", is_flag=True, help="Exit with 0 also if the verdict is inconclusive."),
    ):
        command = option(command)
    return command


def report_verdict(ended: EndedJob, as_json: bool, junit_to: Output | None, markdown_to: Output | None) -> int:
    """Show a verdict and write what was asked for. Returns the exit status."""
    if junit_to:
        junit_to.write(junit(ended))
    if markdown_to:
        markdown_to.write(markdown(ended).encode(), add=True)
    if not fills_standard_output([junit_to, markdown_to], as_json):
        print_verdict(ended)
    return ended.status


@click.command()
@click.argument("job", type=JobId())
@gate_options
@url_option
@json_option
@click.pass_context
def verdict(ctx: click.Context, /, job: str, url: str, as_json: bool, **asked: Any) -> None:
    """Tell what the gate of JOB, which has ended, says.

    Exit status 0 for pass, 1 for fail or inconclusive, 2 for error.
    """
    fills_standard_output([asked["junit"], asked["markdown"]], as_json)
    with Client(url) as client:
        found = client.verdict(job).raw
    if as_json:
        click.echo(json.dumps(found))
    ended = EndedJob(job, Verdict.model_validate(found), asked["allow_inconclusive"])
    ctx.exit(report_verdict(ended, as_json, asked["junit"], asked["markdown"]))
