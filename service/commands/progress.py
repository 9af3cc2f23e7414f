"""Progress of a job on standard error: a bar in a terminal, a line now and then in the log of a pipeline."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Show = Callable[[str, int, int | None], None]
LINE_SECONDS = 30.0  # many CI services abort a step that prints nothing for ten minutes


@contextmanager
def progress(line_seconds: float = LINE_SECONDS) -> Iterator[Show]:
    """Yield a function that shows progress. It takes a job's state, its audited images and its total images."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(line_seconds)
        return
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("queued", total=None)

        def show(state: str, done: int, total: int | None) -> None:
            bar.update(task, description=state, completed=done, total=total)

        yield show


def _lines(line_seconds: float) -> Show:
    """Return a function that prints a line for each new state, and every `line_seconds` in the same state."""
    last_state, due = "", 0.0

    def show(state: str, done: int, total: int | None) -> None:
        nonlocal last_state, due
        if state != last_state or time.monotonic() >= due:
            last_state, due = state, time.monotonic() + line_seconds
            click.echo(f"{state}, {done} of {total} images" if total else state, err=True)

    return show
