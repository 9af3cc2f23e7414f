import pytest

from service.commands.progress import progress


def test_progress_is_printed_once_per_state_within_an_interval(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_progress_in_the_same_state_is_printed_again_after_the_interval(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(line_seconds=0.0) as show:
        show("running", 1, 200)
        show("running", 2, 200)
    assert "running, 2 of 200 images" in capsys.readouterr().err
