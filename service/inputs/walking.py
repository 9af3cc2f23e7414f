"""Going through folders, links followed, and each folder once."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from service.inputs.roots import real_path


def walk(folder: Path, on_error: Callable[[OSError], None] | None = None) -> Iterator[tuple[str, list[str], list[str]]]:
    """A folder and those below: path, names of the folders and of the files in it, sorted.

    Raises OSError where one cannot be listed, unless `on_error` is to see to that.
    """
    seen: set[Path] = set()
    for here, below, files in os.walk(folder, followlinks=True, onerror=on_error or _raise):
        real = real_path(Path(here))
        if real in seen:  # a link to a folder above, or a second one to the same
            below.clear()
            continue
        seen.add(real)
        below.sort()
        yield here, below, sorted(files)


def _raise(error: OSError) -> None:
    raise error
