from pathlib import Path

import pytest
from click.testing import CliRunner

from service.commands.jobs import submit

NOWHERE = "http://127.0.0.1:1"


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
def test_an_output_file_that_cannot_be_written_is_refused_before_the_submission(tmp_path: Path, option: str) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text("{}")
    ended = CliRunner().invoke(submit, [str(spec), "--wait", "--url", NOWHERE, option, str(tmp_path / "gone" / "out")])
    assert ended.exit_code == 2
    assert f"there is no folder {tmp_path}/gone" in ended.output


def test_an_output_file_of_a_verdict_needs_a_gate(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text("{}")
    ended = CliRunner().invoke(submit, [str(spec), "--wait", "--url", NOWHERE, "--junit", str(tmp_path / "out.xml")])
    assert (ended.exit_code, "--junit needs a gate" in ended.output) == (2, True)
