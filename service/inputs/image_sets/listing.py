"""Lists an image set: names, labels and references, in a fixed order, without opening an image.

The content of the set determines its kind. Parquet needs a library that only workers have, so workers pass in the
function that lists it.
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
    location: ImageSetLocation | Path, roots: Sequence[Path], list_table: ListTable | None = None
) -> Iterator[ImageEntry]:
    """List the images of a set of any kind. Raises ImagesRefused, also for a set without images.

    This function does not check that names are unique; `InputResolver.list_images` of the worker does.
    """
    if isinstance(location, Path):
        location = ImageSetLocation.local(location)
    empty = True
    for entry in _list(location, roots, list_table):
        empty = False
        _check_text(location, entry)
        yield entry
    if empty:
        known_suffixes = " ".join(sorted(SUFFIXES))
        raise ImagesRefused(
            reason=f"{location.source} contains no image (files with {known_suffixes}, or rows of a manifest)"
        )


def detect_kind(path: Path) -> Kind:
    """Detect the kind of a set by its content. Raises ImagesRefused."""
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


def _list(location: ImageSetLocation, roots: Sequence[Path], list_table: ListTable | None) -> Iterator[ImageEntry]:
    kind = detect_kind(location.path)
    if kind == "folder":
        return _list_folder(location, roots, list_table)
    if kind == "zip":
        return list_zip(location)
    if kind == "tar":
        return list_tar(location)
    if kind == "parquet" and list_table:
        return list_table(location, roots)
    if kind == "json lines":
        return list_json_lines(location, roots)
    if kind == "csv":
        return list_csv(location, roots)
    raise ImagesRefused(reason=f"{location.source} is a {kind} file, which only a worker can list")


def _list_folder(
    location: ImageSetLocation, roots: Sequence[Path], list_table: ListTable | None
) -> Iterator[ImageEntry]:
    """List the images in a folder; if it has none, list those of the shards in it."""
    empty = True
    for entry in list_folder(location, roots):
        empty = False
        yield entry
    if empty:
        for shard in list_shards(location.path, SHARD_SUFFIXES, roots):
            for entry in _list(location.shard(shard), roots, list_table):
                name = f"{shard.relative_to(location.path)}/{entry.name}"
                yield entry._replace(name=name)


def _check_text(location: ImageSetLocation, entry: ImageEntry) -> None:
    """Raise ImagesRefused for a text that the database cannot store: with a zero byte, or not UTF-8."""
    texts = [text for text in (*entry[:4], *entry.groups) if text is not None]
    together = "".join(texts)
    if together.isascii() and "\0" not in together:  # the fast path for nearly all entries
        return
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ImagesRefused(reason=f"{location.source}: the name {text!r} is not UTF-8; rename it") from None
        if "\0" in text:
            raise ImagesRefused(reason=f"{location.source}: {text!r} contains a zero byte")
