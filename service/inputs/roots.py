"""The folders that the service may read files from, and a walk through the folders below them."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self


class Roots(tuple[Path, ...]):
    """Resolved folders. What is `excluded` below them is no user's to name: uploads of all tenants, the database."""

    excluded: tuple[Path, ...] = ()

    @classmethod
    def excluding(cls, roots: Iterable[Path], kept: Iterable[Path]) -> Self:
        """The roots without what is kept."""
        made = cls(roots)
        made.excluded = tuple(kept)
        return made


def real_path(path: Path) -> Path:
    """Where a path leads, links followed; a loop of links leads to itself, where nothing exists."""
    return Path(os.path.realpath(path))


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
