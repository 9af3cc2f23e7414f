"""Listing an image set: names, labels and paths, in a fixed order. Opens no picture.

A folder's pictures are labelled by the first folder below it; a manifest's by its column.
"""

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.errors import ImagesRefused
from service.locations import is_under, real_path
from service.transient import is_transient

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class ImageEntry:
    """One picture of a set: its name there, its label if it has one, its file, and that of its human map if any."""

    name: str
    label: str | None
    path: Path
    human: Path | None = None


def list_images(source: Path, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """The pictures of a folder or a CSV manifest. Raises ImagesRefused, also where there is none."""
    if source.is_dir():
        entries = _list_folder(source)
    elif source.suffix.lower() == ".csv":
        entries = _list_manifest(source)
    else:
        raise ImagesRefused(reason=f"{source} is neither a folder nor a .csv manifest")
    empty = True
    for entry in entries:
        empty = False
        _check_text(source, entry)
        for path in (entry.path, entry.human):
            if path is not None and not is_under(real_path(path), roots):
                raise ImagesRefused(
                    reason=f"image {entry.name!r} of {source}, or its human map, lies outside the allowed roots"
                )
        yield entry
    if empty:
        known = " ".join(sorted(SUFFIXES))
        raise ImagesRefused(reason=f"{source} holds no image (looked for {known}, or rows of a manifest)")


def _check_text(source: Path, entry: ImageEntry) -> None:
    """Names and labels are kept as text, which holds neither zero bytes nor what is not UTF-8."""
    for text in (entry.name, entry.label or "", str(entry.path), str(entry.human)):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ImagesRefused(reason=f"{source}: the name {text!r} is not UTF-8; rename it") from None
        if "\0" in text:
            raise ImagesRefused(reason=f"{source}: {text!r} holds a zero byte")


def _list_folder(source: Path) -> Iterator[ImageEntry]:
    seen: set[Path] = set()
    for folder, below, files in os.walk(source, followlinks=True, onerror=_refuse):
        here = real_path(Path(folder))
        if here in seen:  # a link to a folder above, or a second one to the same
            below.clear()
            continue
        seen.add(here)
        below.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if path.suffix.lower() in SUFFIXES:
                inner = path.relative_to(source)
                yield ImageEntry(inner.as_posix(), inner.parts[0] if len(inner.parts) > 1 else None, path)


def _refuse(error: OSError) -> None:
    if is_transient(error):
        raise error
    raise ImagesRefused(reason=f"{error.filename} cannot be listed: {error.strerror}")


def _list_manifest(source: Path) -> Iterator[ImageEntry]:
    seen: set[str] = set()
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if "image" not in (rows.fieldnames or ()):
                raise ImagesRefused(reason=f"{source} has no column `image`; its first line must name the columns")
            for row in rows:
                name = (row["image"] or "").strip()
                if not name:
                    raise ImagesRefused(reason=f"{source}, line {rows.line_num}: no image is named")
                if name in seen:
                    raise ImagesRefused(reason=f"{source}, line {rows.line_num}: {name!r} is listed twice")
                seen.add(name)
                label, human = ((row.get(column) or "").strip() or None for column in ("label", "human_map"))
                yield ImageEntry(name, label, source.parent / name, source.parent / human if human else None)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImagesRefused(reason=f"{source} is not a CSV file in UTF-8: {error}") from error
