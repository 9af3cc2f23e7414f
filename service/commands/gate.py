"""`salience verdict`, and how every command that ends with a verdict tells it: a table, files, an exit status."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from service.client import Client
from service.commands.arguments import JobId, json_option, url_option
from service.commands.verdicts import Ended, print_verdict, write_junit, write_markdown
from service.gate import Verdict

Command = TypeVar("Command", bound=Callable[..., Any])


class NewFile(click.Path):
    """A file to be written at the end of what may take hours, so that its folder is looked at before."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, if a file can be written there."""
        path: Any = super().convert(value, param, ctx)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            self.fail(f"no file can be written in {path.parent}; make that folder, or name another", param, ctx)
        return path


FILE = NewFile(dir_okay=False, writable=True, path_type=Path)


def gate_options(command: Command) -> Command:
    """The options of a command that ends with a verdict."""
    for option in (
        click.option("--markdown", type=FILE, help="Add the verdict to this file, as Markdown."),
        click.option("--junit", type=FILE, help="Write the rules to this file, as the test cases of JUnit's XML."),
        click.option("--allow-inconclusive", is_flag=True, help="Exit with 0 also if the verdict is inconclusive."),
    ):
        command = option(command)
    return command


def tell(ended: Ended, as_json: bool, junit: Path | None, markdown: Path | None) -> int:
    """Show a verdict and write what was asked for. Returns the exit status."""
    if junit:
        write_junit(ended, junit)
    if markdown:
        write_markdown(ended, markdown)
    if not as_json:
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
    with Client(url) as client:
        found = client.verdict(job).raw
    if as_json:
        click.echo(json.dumps(found))
    ended = Ended(job, Verdict.model_validate(found), asked["allow_inconclusive"])
    ctx.exit(tell(ended, as_json, asked["junit"], asked["markdown"]))
