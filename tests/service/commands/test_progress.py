import pytest

from service.commands.progress import progress


def test_a_log_is_told_each_state_and_no_more_often_than_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as show:
        show("queued", 0, None)
        show("running", 0, 200)
        for done in range(1, 200):
            show("running", done, 200)
        show("succeeded", 200, 200)
    assert capsys.readouterr().err.splitlines() == [
        "queued",
        "running, 0 of 200 images",
        "succeeded, 200 of 200 images",
    ]


def test_a_state_that_lasts_is_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(line_seconds=0.0) as show:
        show("running", 1, 200)
        show("running", 2, 200)
    assert "running, 2 of 200 images" in capsys.readouterr().err
