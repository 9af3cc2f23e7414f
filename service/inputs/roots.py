"""The folders that files may be read from, and what in them the service keeps for itself."""

import os
from collections.abc import Iterable
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
