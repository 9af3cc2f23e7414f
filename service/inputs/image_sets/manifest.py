"""Manifests: CSV, or JSON a line, with the columns image, label and human_map."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from operator import itemgetter
from pathlib import Path

from service.errors import ImagesRefused, InputRefused
from service.inputs.image_sets.entry import ImageEntry, ImageSetLocation, ReferenceResolver, to_text

COLUMNS = ("image", "label", "human_map")
MAX_LINE_CHARACTERS = 1_000_000  # characters


def list_csv(place: ImageSetLocation, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """The rows, in their order."""
    resolve = ReferenceResolver(place, roots)
    try:
        with place.path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            columns = [name.strip() for name in next(rows, [])]  # as what stands below them
            if "image" not in columns:
                raise ImagesRefused(
                    reason=f"{place.source} has no column `image`; its first line must name the columns, in small "
                    "letters and with commas between them (JSON: one object a line)"
                )
            for name, label, human in _cells(rows, columns):
                if not name:
                    raise ImagesRefused(reason=f"{place.source}, line {rows.line_num}: no image is named")
                yield ImageEntry(name, label or None, resolve(name), resolve(human) if human else None)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImagesRefused(
            reason=f"{place.source} is neither a folder, a zip, a tar nor Parquet, and no CSV file in UTF-8: {error}"
        ) from error


def _cells(rows: Iterable[list[str]], columns: list[str]) -> Iterator[Iterator[str]]:
    """What each row that is not empty says in the three columns; nothing, in those that are not there."""
    width = len(columns)
    pick = itemgetter(*(columns.index(name) if name in columns else width for name in COLUMNS))
    for row in rows:
        if row:
            if len(row) != width:
                row = [*row[:width], *[""] * (width - len(row))]
            row.append("")
            yield map(str.strip, pick(row))


def list_json_lines(place: ImageSetLocation, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """The lines, in their order."""
    resolve = ReferenceResolver(place, roots)
    with place.path.open(encoding="utf-8-sig") as file:
        for number in count(1):
            try:
                line = file.readline(MAX_LINE_CHARACTERS)
                entry = None if line.isspace() or not line else _entry(json.loads(line), resolve)
            except InputRefused as refused:
                raise ImagesRefused(reason=f"{place.source}, line {number}: {refused}") from refused
            except (ValueError, RecursionError) as error:
                raise ImagesRefused(
                    reason=f"{place.source}, line {number}, is not JSON in UTF-8 of a modest length: {error}"
                ) from error
            if not line:
                return
            if entry is not None:
                yield entry


def _entry(row: object, resolve: Callable[[str], str]) -> ImageEntry:
    if not isinstance(row, dict):
        raise ImagesRefused(reason="write an object with the keys image, label and human_map")
    name, label, human = to_text(row.get("image")), to_text(row.get("label")), to_text(row.get("human_map"))
    if name is None:
        raise ImagesRefused(reason="no image is named")
    return ImageEntry(name, label, resolve(name), resolve(human) if human else None)
