"""A folder of pictures, labelled by the first folder below it."""

import os
from collections.abc import Iterator
from pathlib import Path

from service.errors import ImagesRefused
from service.listing.entry import ImageEntry, SetPlace, is_picture
from service.roots import real_path
from service.transient import is_transient


def list_folder(place: SetPlace) -> Iterator[ImageEntry]:
    """The pictures, folder by folder, names sorted."""
    seen: set[Path] = set()
    for folder, below, files in os.walk(place.path, followlinks=True, onerror=_refuse):
        here = real_path(Path(folder))
        if here in seen:  # a link to a folder above, or a second one to the same
            below.clear()
            continue
        seen.add(here)
        below.sort()
        inner = os.path.relpath(folder, place.path)
        before = "" if inner == "." else f"{inner}/"
        label = before.partition("/")[0] or None
        for name in sorted(files):
            if is_picture(name):
                yield ImageEntry(before + name, label, f"{folder}/{name}")


def shards_of(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a folder, and of those below it, with one of these suffixes, sorted by their paths."""
    return sorted(path for path in folder.rglob("*") if path.name.endswith(suffixes) and path.is_file())


def _refuse(error: OSError) -> None:
    if is_transient(error):
        raise error
    raise ImagesRefused(reason=f"{error.filename} cannot be listed: {error.strerror}")
