from pathlib import Path

import pytest
from click.testing import CliRunner

from service.commands.jobs import submit

NOWHERE = "http://127.0.0.1:1"


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
def test_submit_refuses_an_unwritable_output_file_before_it_submits_the_job(tmp_path: Path, option: str) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text("{}")
    ended = CliRunner().invoke(submit, [str(spec), "--wait", "--url", NOWHERE, option, str(tmp_path / "gone" / "out")])
    assert ended.exit_code == 2
    assert f"the folder {tmp_path}/gone does not exist" in ended.output


def test_submit_refuses_an_output_file_for_the_verdict_of_a_job_without_a_gate(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text("{}")
    ended = CliRunner().invoke(submit, [str(spec), "--wait", "--url", NOWHERE, "--junit", str(tmp_path / "out.xml")])
    assert (ended.exit_code, "--junit needs a gate" in ended.output) == (2, True)
