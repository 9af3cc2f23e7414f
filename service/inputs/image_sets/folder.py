"""Lists a folder of images, which are labelled by the first folder below it."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from service.errors import ImagesRefused
from service.errors.transient import is_transient
from service.inputs.image_sets.entry import ImageEntry, ImageSetLocation, is_image
from service.inputs.roots import walk
from service.inputs.uris import check_link


def list_folder(location: ImageSetLocation, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """List the images folder by folder, sorted by name. Raises ImagesRefused for a folder that links out of the roots.

    A file that is a link is checked when the image is read.
    """
    for folder, below, files in walk(location.path, _raise_unreadable):
        for name in below:
            check_link(location.path, Path(folder, name), roots, ImagesRefused)
        inner = os.path.relpath(folder, location.path)
        before = "" if inner == "." else f"{inner}/"
        label = before.partition("/")[0] or None
        for name in files:
            if is_image(name):
                yield ImageEntry(before + name, label, f"{folder}/{name}")


def list_shards(folder: Path, suffixes: tuple[str, ...], roots: Sequence[Path]) -> list[Path]:
    """List the files below a folder with one of these suffixes, sorted by path.

    Raises ImagesRefused for a file that links out of the roots.
    """
    found = sorted(path for path in folder.rglob("*") if path.name.endswith(suffixes) and path.is_file())
    for path in found:
        check_link(folder, path, roots, ImagesRefused)
    return found


def _raise_unreadable(error: OSError) -> None:
    if is_transient(error):
        raise error
    raise ImagesRefused(reason=f"{error.filename} cannot be listed: {error.strerror}")
