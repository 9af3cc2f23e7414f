"""Identifies a model by the SHA-256 of its file or folder, and detects changes by a cheap stamp."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from service.inputs.roots import walk

Stamp = tuple[int, int, int]


def digest_path(path: Path) -> str:
    """Return the SHA-256 of a file or a folder, in hex.

    The digest of a folder is that of a text with one line `digest<TAB>name` for each file, sorted.
    """
    if path.is_file():
        return _digest(path)
    lines = [f"{_digest(file)}\t{file.relative_to(path).as_posix()}\n" for file in _files(path)]
    return hashlib.sha256("".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()


def stamp_path(path: Path) -> Stamp:
    """Return the last change in nanoseconds, the size in bytes, and the number of files. Raises OSError."""
    found = [path.stat()] if path.is_file() else [file.stat() for file in (path, *_files(path))]
    return (max(each.st_mtime_ns for each in found), sum(each.st_size for each in found), len(found))


def _files(folder: Path) -> Iterator[Path]:
    found = (Path(here, name) for here, _, files in walk(folder) for name in files)
    return (path for path in found if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
