"""Fills the generated blocks of the reference pages from the code: `python -m docs.generate`.

A block lies between `<!-- generate: NAME -->` and `<!-- end -->`. With `--check`, nothing is written and the exit
status is 1 if a page is stale.
"""

import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import BaseModel

from docs.schema_tables import meaning, model_tables, table
from salience.errors import ClientError
from service.api.errors import status_for
from service.api.routes.webhooks import DeliveryBody, NewWebhook, Rotation, WebhookWithSecret
from service.api.schemas import ArtifactBody, Check, ImageBody, InspectionBody, JobBody, PolicyBody, Problem
from service.cli import commands
from service.domain.inspection import Inspect
from service.domain.policy import JobTemplate, Policy
from service.errors import InputRefused, SalienceError
from service.gate import CHECKS
from service.main import create_app
from service.measures import MEASURES as MEASURE_ENTRIES
from service.measures.methods import METHODS
from service.settings import PREFIX, ServiceSettings, StoreSettings
from service.spec.model import JobSpec
from worker.settings import WorkerSettings

ErrorType = type[SalienceError] | type[ClientError]
Found = TypeVar("Found", SalienceError, ClientError)
FOLDER = Path(__file__).parent
BLOCK = re.compile(r"(<!-- generate: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
BODIES = (
    JobBody, ImageBody, InspectionBody, ArtifactBody, PolicyBody, WebhookWithSecret, DeliveryBody, Problem
)  # fmt: skip
REQUESTS = (Inspect, Check, NewWebhook, Rotation)


def spec() -> str:
    """Return tables of every field of a job's spec."""
    return model_tables(JobSpec)


def policy() -> str:
    """Return tables of the fields that a policy has and a spec does not."""
    return model_tables(Policy, without={*model_names(JobSpec), JobTemplate.__name__})


def requests() -> str:
    """Return tables of the fields of all requests except specs and policies."""
    return _tables(REQUESTS, answer=False)


def bodies() -> str:
    """Return tables of the fields of the API's responses, except those of specs and policies."""
    return _tables(BODIES, answer=True)


def _tables(models: Sequence[type[BaseModel]], answer: bool) -> str:
    known = model_names(JobSpec) | model_names(Policy)
    found = []
    for each in models:
        found.append(model_tables(each, answer=answer, without=known))
        known |= model_names(each)
    return "\n".join(found)


def model_names(model: type[BaseModel]) -> set[str]:
    """Return the names of a model and of all models in it."""
    return {model.__name__, *model.model_json_schema().get("$defs", {})}


def settings() -> str:
    """Return tables of the settings, grouped by the process that reads them."""
    shared = _settings(StoreSettings, ())
    return "\n".join(
        f"## {title}\n\n{found}"
        for title, found in (
            ("The API and the workers", shared),
            ("The API", _settings(ServiceSettings, StoreSettings.model_fields)),
            ("Workers", _settings(WorkerSettings, StoreSettings.model_fields)),
        )
    )


def _settings(group: type[BaseModel], without: Collection[str]) -> str:
    schema = group.model_json_schema()["properties"]
    rows = []
    for name, field in group.model_fields.items():
        if name not in without:
            default = "" if field.default in (None, "", ()) else f"`{str(field.default).lower().removesuffix('.0')}`"
            rows.append([f"`{PREFIX}{name.upper()}`", default, meaning(schema[name])])
    return table(["variable", "default", "meaning"], rows)


def command_line() -> str:
    """Return a section with the options of each command."""
    return "\n".join(_commands(commands, click.Context(commands, info_name="salience")))


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        own = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield from _commands(command, own)
        else:
            yield _command(command, own)


def _command(command: click.Command, context: click.Context) -> str:
    records = [each.get_help_record(context) for each in command.params]
    rows = [[f"`{_no_pipes(record[0])}`", " ".join(record[1].split())] for record in records if record and record[1]]
    usage = command.get_usage(context).removeprefix("Usage: ")
    return (
        f"## {context.command_path}\n\n    {' '.join(usage.split())}\n\n"
        f"{cleandoc(command.help or '')}\n\n{table(['option', 'meaning'], rows)}"
    )


def _no_pipes(text: str) -> str:
    """Separate choices by commas, since a pipe in code would end the cell of a Markdown table."""
    return text.replace("|", ", ")


def errors() -> str:
    """Return a table of the problem types of the HTTP API."""
    found = (each for each in _subclasses(SalienceError) if not issubclass(each, InputRefused))
    rows = [[f"`{each.kind}`", str(int(status_for(each))), _message(each)] for each in found]
    return table(["kind", "status", "message"], rows)


def job_errors() -> str:
    """Return a table of the errors of failed jobs."""
    return _errors([InputRefused, *_subclasses(InputRefused)])


def client_errors() -> str:
    """Return a table of the errors of the Python client."""
    return _errors([ClientError, *_subclasses(ClientError)])


def _errors(errors: Iterable[ErrorType]) -> str:
    return table(["kind", "message"], [[f"`{each.kind}`", _message(each)] for each in errors])


def _message(error: ErrorType) -> str:
    return " ".join(cleandoc(error.__doc__ or "").split())


def _subclasses(error: type[Found]) -> Iterator[type[Found]]:
    for each in error.__subclasses__():
        yield each
        yield from _subclasses(each)


def measures() -> str:
    """Return a table of the measures."""
    return _catalogue(MEASURE_ENTRIES)


def methods() -> str:
    """Return a table of the salience methods."""
    return _catalogue(METHODS)


def _catalogue(entries: Mapping[str, Any]) -> str:
    rows = [
        [f"`{name}`", each.meaning, f"{each.bounds[0]:g} to {each.bounds[1]:g}", each.source]
        for name, each in entries.items()
    ]
    return table(["name", "meaning", "range", "source"], rows)


def routes() -> str:
    """Return a table of the routes with the scope that each needs."""
    paths = create_app(ServiceSettings()).openapi()["paths"]
    rows = [
        [f"`{method.upper()} {path}`", _scope(entry), entry["description"].split("\n\n")[0]]
        for path, methods in paths.items()
        for method, entry in methods.items()
    ]
    return table(["request", "scope", "meaning"], rows)


def _scope(entry: Mapping[str, Any]) -> str:
    needed = json.dumps(entry.get("security", []))
    return next((f"`{name}`" for name in ("admin", "submit", "read") if name in needed), "")


def soundness() -> str:
    """Return a table of the soundness checks."""
    rows = [
        [f"`{each.name}`", each.catches, "" if each.limit is None else f"{each.limit:g}", each.rule]
        for each in CHECKS.values()
    ]
    return table(["check", "catches", "limit", "outcome"], rows)


BLOCKS: Mapping[str, Callable[[], str]] = {
    each.__name__: each
    for each in (
        spec, policy, requests, bodies, settings, command_line, errors, job_errors, client_errors,
        measures, methods, routes, soundness,
    )
}  # fmt: skip


def generated(text: str) -> str:
    """Return the text of a page with every generated block filled."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]()}\n{found[3]}", text)


@click.command()
@click.option("--check", is_flag=True, help="Report stale pages without changing them.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, help="Folder of the pages.")
def main(check: bool, folder: Path) -> None:
    """Fill the generated blocks of all pages."""
    stale = []
    for page in sorted(folder.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = generated(text)
        if new != text:
            stale.append(str(page))
            if not check:
                page.write_text(new, encoding="utf-8")
    if check and stale:
        click.echo(f"Stale: {', '.join(stale)}. Run `python -m docs.generate`.", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
