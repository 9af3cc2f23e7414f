import re

import pytest

from service.commands.figure import draw
from service.commands.results_table import print_results
from service.commands.verdict_output import EndedJob, junit, markdown, print_verdict
from service.gate import Verdict
from tests.support.old_results import results_of_format_3


def test_the_table_of_old_results_starts_with_their_format_and_calls_missing_values_not_available(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_results(results_of_format_3())
    shown = capsys.readouterr().out
    assert re.match("These results have format 3, from an earlier release", shown)
    assert "Soundness: not available" in shown
    assert re.search(r"noise +│ 0\.107", shown)
    differences = shown.partition("Difference: ")[2]
    assert differences.count("not available") == 4
    assert not re.search(r"│ +(no|yes|unknown) +│", differences)


def test_the_table_of_current_results_has_no_notice(capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"format": 4, "cohorts": {}, "differences": [], "soundness": {}, "warnings": []})
    assert "earlier release" not in capsys.readouterr().out


@pytest.mark.parametrize("measure", ["entropy", "noise", "stability", "degradation"])
def test_every_measure_of_old_results_can_be_drawn(measure: str) -> None:
    drawn = draw(results_of_format_3(), measure, "svg").decode()
    assert all(f">{cohort}</text>" in drawn for cohort in ("cross-entropy", "human-guided"))


def test_the_verdict_of_an_earlier_release_is_shown_as_it_was_decided(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = Verdict.model_validate(results_of_format_3()["verdict"])
    ended = EndedJob("j", verdict)
    print_verdict(ended)
    assert f"fail: {verdict.reason}" in capsys.readouterr().out
    assert (ended.status, verdict.soundness) == (1, [])
    assert b'failures="3"' in junit(ended)
    assert "Salience gate: fail" in markdown(ended)
