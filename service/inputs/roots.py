"""The folders that the service may read files from, and a walk through the folders below them."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self


class Roots(tuple[Path, ...]):
    """Resolved folders whose files users may name, except files in `excluded`, such as uploads and the database."""

    excluded: tuple[Path, ...] = ()

    @classmethod
    def excluding(cls, roots: Iterable[Path], excluded: Iterable[Path]) -> Self:
        """Make roots whose files users may name, except files in the folders `excluded`."""
        made = cls(roots)
        made.excluded = tuple(excluded)
        return made


def real_path(path: Path) -> Path:
    """Resolve all links of a path. A loop of links resolves to a path that does not exist."""
    return Path(os.path.realpath(path))


def walk(folder: Path, on_error: Callable[[OSError], None] | None = None) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield a folder and each folder below it: path, sorted names of folders, sorted names of files.

    Follows links, and enters each folder once. Raises OSError if a folder cannot be listed, unless `on_error` handles
    it.
    """
    seen: set[Path] = set()
    for here, below, files in os.walk(folder, followlinks=True, onerror=on_error or _raise):
        real = real_path(Path(here))
        if real in seen:  # a link to a parent folder, or a second link to the same folder
            below.clear()
            continue
        seen.add(real)
        below.sort()
        yield here, below, sorted(files)


def _raise(error: OSError) -> None:
    raise error
