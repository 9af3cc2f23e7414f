"""Tests that every option for an output file accepts `-`, and that the command then prints nothing but the document."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import httpx
import pytest
from click.testing import CliRunner

from service.cli import LazyGroup
from service.commands.arguments import OutputFile
from service.commands.figure import figure
from service.commands.jobs import submit
from service.commands.report import report
from service.commands.verdict import verdict
from tests.support.jobs import AuditInputs
from tests.support.soundness import ALL_OFF
from tests.support.worker_thread import working
from worker.commands import audit
from worker.runner import Runner

GATE = {"rules": [{"measure": "entropy", "op": ">=", "value": 0}], "soundness": ALL_OFF}


@pytest.fixture
def spec(ingredients: AuditInputs, tmp_path: Path) -> Path:
    """The path of a file with the spec of a small audit, whose gate passes."""
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(ingredients.body(measures=["entropy"], gate=GATE)))
    return path


@pytest.fixture
def job(api: httpx.Client, runner: Runner, spec: Path) -> Iterator[str]:
    """The ID of a job with the spec of the fixture `spec` that has ended. A worker runs during the test."""
    job = str(api.post("/v1/jobs", json=json.loads(spec.read_text())).json()["id"])
    with working(runner):
        while api.get(f"/v1/jobs/{job}", params={"wait": 2}).json()["state"] in ("queued", "running"):
            pass
        yield job


def standard_output(command: click.Command, *arguments: object) -> bytes:
    """Run a command and check that it succeeds. Returns its standard output."""
    ended = CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout_bytes


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_command_that_writes_a_report_or_a_figure_to_standard_output_prints_nothing_else(
    api: httpx.Client, job: str, tmp_path: Path
) -> None:
    at = ("--url", str(api.base_url))
    page = standard_output(report, job, "-o", "-", *at)
    assert page.lower().startswith(b"<!doctype html>")
    assert page.rstrip().endswith(b"</html>")
    drawn = [
        standard_output(figure, job, "--measure", "entropy", "-o", "-", *at, *kind)
        for kind in ((), ("--format", "svg"))
    ]
    assert drawn[0].startswith(b"%PDF")
    standard_output(figure, job, "--measure", "entropy", "-o", tmp_path / "entropy.svg", *at)
    assert drawn[1] == (tmp_path / "entropy.svg").read_bytes()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_command_that_writes_a_verdict_to_standard_output_prints_nothing_else(
    api: httpx.Client, job: str, spec: Path
) -> None:
    at = ("--url", str(api.base_url))
    request: tuple[Any, ...]
    for request in ((verdict, job), (submit, spec, "--wait")):
        assert ElementTree.fromstring(standard_output(*request, "--junit", "-", *at)).tag == "testsuites"
        assert standard_output(*request, "--markdown", "-", *at).startswith(b"### Salience gate: pass\n")


def test_a_local_audit_that_writes_results_to_standard_output_prints_nothing_else(spec: Path) -> None:
    assert json.loads(standard_output(audit, spec, "--output", "-"))["verdict"]["outcome"] == "pass"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (report, ("ID", "-o", "-", "--json")),
        (figure, ("ID", "--measure", "noise", "-o", "-", "--json")),
        (verdict, ("ID", "--junit", "-", "--markdown", "-")),
        (verdict, ("ID", "--junit", "-", "--json")),
    ],
)
def test_a_command_refuses_to_write_two_documents_to_standard_output(
    command: click.Command, arguments: tuple[str, ...]
) -> None:
    ended = CliRunner().invoke(command, [*arguments, "--url", "http://127.0.0.1:1"])
    assert ended.exit_code == 2
    assert "standard output holds one document" in ended.stderr


def test_every_option_for_an_output_file_has_the_same_type() -> None:
    group = LazyGroup()
    found = {}
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        found.update({(name, each.name): each.type for each in command.params if _is_output_file(each)})
    assert {("report", "output"), ("submit", "junit"), ("audit", "output")} <= found.keys()
    assert {place: each for place, each in found.items() if not isinstance(each, OutputFile)} == {}


def _is_output_file(parameter: click.Parameter) -> bool:
    """Return whether a parameter names a file that the command writes."""
    path = parameter.type
    return isinstance(path, OutputFile | click.File) or (isinstance(path, click.Path) and not path.exists)
