"""A folder of images, labelled by the first folder below it."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from service.errors import ImagesRefused
from service.errors.transient import is_transient
from service.inputs.image_sets.entry import ImageEntry, ImageSetLocation, is_image
from service.inputs.roots import walk
from service.inputs.uris import check_link


def list_folder(place: ImageSetLocation, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """The images, folder by folder, names sorted. Raises ImagesRefused for a folder that is a link out of the roots.

    Links among the files are followed, and checked, when they are read.
    """
    for folder, below, files in walk(place.path, _raise_unreadable):
        for name in below:
            check_link(place.path, Path(folder, name), roots, ImagesRefused)
        inner = os.path.relpath(folder, place.path)
        before = "" if inner == "." else f"{inner}/"
        label = before.partition("/")[0] or None
        for name in files:
            if is_image(name):
                yield ImageEntry(before + name, label, f"{folder}/{name}")


def list_shards(folder: Path, suffixes: tuple[str, ...], roots: Sequence[Path]) -> list[Path]:
    """The files of a folder, and of those below it, with one of these suffixes, sorted by their paths.

    Raises ImagesRefused for one that is a link out of the roots.
    """
    found = sorted(path for path in folder.rglob("*") if path.name.endswith(suffixes) and path.is_file())
    for path in found:
        check_link(folder, path, roots, ImagesRefused)
    return found


def _raise_unreadable(error: OSError) -> None:
    if is_transient(error):
        raise error
    raise ImagesRefused(reason=f"{error.filename} cannot be listed: {error.strerror}")
