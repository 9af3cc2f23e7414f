"""A job's progress: a bar where a person watches, and now and then a line in the log of a pipeline."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Show = Callable[[str, int, int | None], None]
LINE_SECONDS = 30.0  # many services end steps that say nothing for ten minutes


@contextmanager
def progress(line_seconds: float = LINE_SECONDS) -> Iterator[Show]:
    """A bar or lines on standard error; the function it yields takes a job's state, images done and images in all."""
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
    """Tells each new state, and of one that lasts how far it is."""
    last, due = "", 0.0

    def show(state: str, done: int, total: int | None) -> None:
        nonlocal last, due
        if state != last or time.monotonic() >= due:
            last, due = state, time.monotonic() + line_seconds
            click.echo(f"{state}, {done} of {total} images" if total else state, err=True)

    return show
