"""Listing an image set: names, labels and references, in a fixed order. Opens no image.

What kind of set it is, is told by its content. Parquet needs a library that only workers have; they hand in how
to list it.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from service.errors import ImagesRefused
from service.inputs.archives import is_tar
from service.inputs.image_sets.archive import list_tar, list_zip
from service.inputs.image_sets.entry import SUFFIXES, ImageEntry, ImageSetLocation
from service.inputs.image_sets.folder import list_folder, list_shards
from service.inputs.image_sets.manifest import list_csv, list_json_lines

__all__ = ["SUFFIXES", "ImageEntry", "ImageSetLocation", "detect_kind", "list_images"]

Kind = Literal["folder", "zip", "tar", "packed tar", "parquet", "json lines", "csv"]
ListTable = Callable[[ImageSetLocation, Sequence[Path]], Iterator[ImageEntry]]
SHARD_SUFFIXES = (".tar", ".parquet")
# Kinds that only a worker can list.
WORKER_ONLY = frozenset({"packed tar", "parquet"})


def list_images(
    place: ImageSetLocation | Path, roots: Sequence[Path], list_table: ListTable | None = None
) -> Iterator[ImageEntry]:
    """The images of a set of any kind. Raises ImagesRefused, also where there is none.

    That a name comes twice is for those to find who go to the end.
    """
    if isinstance(place, Path):
        place = ImageSetLocation.local(place)
    empty = True
    for entry in _list(place, roots, list_table):
        empty = False
        _check_text(place, entry)
        yield entry
    if empty:
        known_suffixes = " ".join(sorted(SUFFIXES))
        raise ImagesRefused(
            reason=f"{place.source} holds no image (looked for {known_suffixes}, or rows of a manifest)"
        )


def detect_kind(path: Path) -> Kind:
    """What kind of set this is, by its content. Raises ImagesRefused."""
    if path.is_dir():
        return "folder"
    if not path.is_file():
        raise ImagesRefused(reason=f"{path} is neither a file nor a folder")
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:4] == b"PK\x03\x04" or head[:4] == b"PK\x05\x06":
        return "zip"
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:2] == b"\x1f\x8b":
        return "packed tar"
    if is_tar(head):
        return "tar"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "json lines" if text[:1] == b"{" else "csv"


def _list(place: ImageSetLocation, roots: Sequence[Path], list_table: ListTable | None) -> Iterator[ImageEntry]:
    kind = detect_kind(place.path)
    if kind == "folder":
        return _list_folder(place, roots, list_table)
    if kind == "zip":
        return list_zip(place)
    if kind == "tar":
        return list_tar(place)
    if kind == "parquet" and list_table:
        return list_table(place, roots)
    if kind == "json lines":
        return list_json_lines(place, roots)
    if kind == "csv":
        return list_csv(place, roots)
    raise ImagesRefused(reason=f"{place.source} is {kind}, which only a worker lists")


def _list_folder(place: ImageSetLocation, roots: Sequence[Path], list_table: ListTable | None) -> Iterator[ImageEntry]:
    """A folder's images; where it has none, those of the shards in it."""
    empty = True
    for entry in list_folder(place, roots):
        empty = False
        yield entry
    if empty:
        for shard in list_shards(place.path, SHARD_SUFFIXES, roots):
            for entry in _list(ImageSetLocation.local(shard), roots, list_table):
                yield ImageEntry(f"{shard.relative_to(place.path)}/{entry.name}", entry.label, entry.path, entry.human)


def _check_text(place: ImageSetLocation, entry: ImageEntry) -> None:
    """Names and labels are kept as text, which holds neither zero bytes nor what is not UTF-8."""
    together = entry.name + entry.path + (entry.label or "") + (entry.human or "")
    if together.isascii() and "\0" not in together:  # which nearly all are, and soon told
        return
    for text in entry:
        if text is None:
            continue
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ImagesRefused(reason=f"{place.source}: the name {text!r} is not UTF-8; rename it") from None
        if "\0" in text:
            raise ImagesRefused(reason=f"{place.source}: {text!r} holds a zero byte")
