import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from service.commands.figure import figure
from service.commands.report import report
from worker.commands import audit


@pytest.mark.parametrize(
    ("command", "arguments"),
    [(report, ("ID", "-o")), (figure, ("ID", "--measure", "noise", "-o")), (audit, ("spec.json", "--output"))],
)
def test_a_command_refuses_an_unwritable_output_file_before_it_starts_work(
    command: click.Command, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.json").write_text("{}")
    for place, message in (("gone/a.pdf", "the folder gone does not exist; create it first"), (".", "is a folder")):
        ended = CliRunner().invoke(command, [*arguments, place])
        assert ended.exit_code == 2
        assert message in ended.stderr


def run_write(path: str, stdout: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that writes a document to `path`. The shell redirects its standard output as `stdout` says."""
    code = f"""
import click
from service.commands.arguments import OutputFile
option = click.Option(['-o', 'out'], type=OutputFile())
click.command(params=[option])(lambda out: out.write(b'x'))(['-o', {path!r}])
"""
    return subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -c \"$0\" {stdout}", code], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("stdout", [">/dev/full", ">&-"])
def test_a_failure_to_write_standard_output_is_an_error_without_a_traceback(stdout: str) -> None:
    ended = run_write("-", stdout)
    assert ended.returncode == 1
    assert "standard output cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_output_file_named_dash_can_be_given_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_write("./-", "").stdout == ""
    assert (tmp_path / "-").read_bytes() == b"x"
