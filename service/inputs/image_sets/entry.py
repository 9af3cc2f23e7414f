"""What is listed: an image's name, label and whereabouts; and the place of the set that it is listed from."""

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
    """One image of a set: its name there, its label if it has one, and references to it and its human map if any.

    A tuple, since these are made by the million.
    """

    name: str
    label: str | None
    path: str
    human: str | None = None


@dataclass(frozen=True)
class ImageSetLocation:
    """An image set on disk. `source` is what others know it by: its path, or the URI that it was fetched from."""

    path: Path
    source: str

    @classmethod
    def local(cls, path: Path) -> "ImageSetLocation":
        """A set that lies where it is used."""
        return cls(path, str(path))


def is_image(name: str) -> bool:
    """Whether a file's name is that of an image, and not of what macOS puts beside it."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")


class ReferenceResolver:
    """How a manifest's names become references: relative ones lie beside it; of others, files under the roots only.

    Folders are looked at once each, and not every file, since a set may have millions: a link among them is
    followed, and checked, when the image is read.
    """

    def __init__(self, place: ImageSetLocation, roots: Sequence[Path]) -> None:
        # Of an address of the web, what follows `?` is the manifest's own, such as its signature.
        plain = QUERY.split(place.source, 1)[0] if place.source.startswith(WEB_SCHEMES) else place.source
        self._source, self._base = place.source, plain.rpartition("/")[0]
        self._is_local = not is_remote(place.source)
        self._is_inside = lru_cache(maxsize=4096)(lambda folder: is_under(real_path(Path(folder or "/")), roots))

    def __call__(self, name: str) -> str:
        """The reference of a name. Raises InputRefused."""
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
        except ValueError as error:  # a zero byte, or half of a character
            raise ImagesRefused(reason=f"{self._source}: {name!r} can be no file's name: {error}") from error
        if last in ("", ".", "..") or not inside:
            raise ImagesRefused(reason=f"image or human map {name!r} of {self._source} lies outside the allowed roots")
        return found

    def _relative(self, name: str) -> str:
        """What a relative name is, of a manifest that lies elsewhere."""
        if not self._base:
            raise ImagesRefused(
                reason=f"{self._source}: {name!r} is no URI, and nothing lies beside an upload; name images by URIs, "
                "or upload them in an archive"
            )
        if name.startswith("/"):
            raise ImagesRefused(reason=f"{self._source}: {name!r} is a path; write it relative, or as a URI")
        return f"{self._base}/{name}"


def to_text(value: object) -> str | None:
    """A label, or a name, as text; None where there is none."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None:
        return None
    if isinstance(value, int):  # or true, or false
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    raise InputRefused(reason=f"{value!r} is neither text nor a whole number")
