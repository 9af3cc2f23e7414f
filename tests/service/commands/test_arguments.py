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
def test_an_output_file_that_cannot_be_written_is_refused_before_the_work(
    command: click.Command, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.json").write_text("{}")
    for place, message in (("gone/a.pdf", "there is no folder gone; create it first"), (".", "is a folder")):
        ended = CliRunner().invoke(command, [*arguments, place])
        assert ended.exit_code == 2
        assert message in ended.stderr
