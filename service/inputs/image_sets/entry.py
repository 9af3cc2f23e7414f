"""Entries of image sets, the location of a set, and the resolution of names in manifests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from service.errors import ImagesRefused, InputRefused
from service.inputs.roots import real_path
from service.inputs.uris import is_remote, is_under, path_from_uri
from service.net.allowed_hosts import WEB_SCHEMES

QUERY = re.compile("[?#]")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm"})


class ImageEntry(NamedTuple):
    """One image of a set: its name, its label or None, its reference, and the reference of its human map or None.

    `groups` has the image's value, or None, in each of the location's group columns; kinds without columns have none.

    The class is a NamedTuple for speed, since sets can have millions of entries.
    """

    name: str
    label: str | None
    path: str
    human: str | None = None
    groups: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class ImageSetLocation:
    """An image set on disk. `source` is its public name: its path, or the URI that it was fetched from.

    `groups` are the manifest's columns to read beside the label.
    """

    path: Path
    source: str
    groups: Sequence[str] = ()

    def shard(self, path: Path) -> "ImageSetLocation":
        """Return the location of a file in the folder of the set."""
        return ImageSetLocation(path, str(path), self.groups)

    def check_columns(self, present: Sequence[str]) -> None:
        """Raise ImagesRefused if a group column is not among those of the manifest."""
        for name in self.groups:
            if name not in present:
                found = ", ".join(map(repr, present[:10]))
                reason = f"{self.source} has no column {name!r}; its columns are {found}"
                raise ImagesRefused(field="images.groups", reason=reason)

    @classmethod
    def local(cls, path: Path) -> "ImageSetLocation":
        """Return the location of a set that was not fetched."""
        return cls(path, str(path))


def is_image(name: str) -> bool:
    """Return whether a file's name is that of an image, and not of a metadata file of macOS (`._name`)."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")


class ReferenceResolver:
    """Resolves names in a manifest to references. Relative names are resolved against the manifest's folder.

    It checks that the folder of each file lies under the roots, and caches the result by folder, since a set can have
    millions of files. A file that is a link is checked when the image is read.
    """

    def __init__(self, location: ImageSetLocation, roots: Sequence[Path]) -> None:
        # The query of a web address, such as a signature, is valid only for the manifest and not for its images.
        plain = QUERY.split(location.source, 1)[0] if location.source.startswith(WEB_SCHEMES) else location.source
        self._source, self._base = location.source, plain.rpartition("/")[0]
        self._is_local = not is_remote(location.source)
        self._is_inside = lru_cache(maxsize=4096)(lambda folder: is_under(real_path(Path(folder or "/")), roots))

    def __call__(self, name: str) -> str:
        """Return the reference of a name. Raises InputRefused."""
        if is_remote(name):
            return name
        if name.startswith("file:"):
            name = str(path_from_uri(name))
        elif not self._is_local:
            return self._relative(name)
        found = name if name.startswith("/") else f"{self._base}/{name}"
        folder, _, last = found.rpartition("/")
        try:
            inside = self._is_inside(folder)
        except ValueError as error:  # a zero byte, or an incomplete character
            raise ImagesRefused(reason=f"{self._source}: {name!r} is not a valid file name: {error}") from error
        if last in ("", ".", "..") or not inside:
            raise ImagesRefused(reason=f"image or human map {name!r} of {self._source} lies outside the allowed roots")
        return found

    def _relative(self, name: str) -> str:
        """Return the reference of a relative name in a remote manifest."""
        if not self._base:
            raise ImagesRefused(
                reason=f"{self._source}: {name!r} is not a URI, and an uploaded manifest has no folder; name images by "
                "URIs, or upload them in an archive"
            )
        if name.startswith("/"):
            raise ImagesRefused(reason=f"{self._source}: {name!r} is an absolute path; write a relative path or a URI")
        return f"{self._base}/{name}"


def to_text(value: object) -> str | None:
    """Convert a label or a name to text, or None if it is empty. Raises InputRefused for another type."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None:
        return None
    if isinstance(value, int):  # also True and False
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    raise InputRefused(reason=f"{value!r} is neither text nor a whole number")
