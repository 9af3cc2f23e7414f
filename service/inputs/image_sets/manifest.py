"""Lists manifests with the columns image, label, human_map and those of groups: CSV, or one JSON object per line."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from operator import itemgetter
from pathlib import Path

from service.errors import ImagesRefused, InputRefused
from service.inputs.image_sets.entry import ImageEntry, ImageSetLocation, ReferenceResolver, to_text

COLUMNS = ("image", "label", "human_map")
MAX_LINE_CHARACTERS = 1_000_000


def list_csv(location: ImageSetLocation, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """List the rows of a CSV file in order. Raises ImagesRefused."""
    resolve = ReferenceResolver(location, roots)
    try:
        with location.path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            columns = [name.strip() for name in next(rows, [])]  # stripped like the cells
            if "image" not in columns:
                raise ImagesRefused(
                    reason=f"{location.source} has no column `image`; the first line must name the columns in lower "
                    "case, separated by commas (JSON: one object per line)"
                )
            location.check_columns(columns)
            for name, label, human, *groups in _cells(rows, columns, location.groups):
                if not name:
                    raise ImagesRefused(reason=f"{location.source}, line {rows.line_num}: the image is missing")
                values = tuple(value or None for value in groups)
                yield ImageEntry(name, label or None, resolve(name), resolve(human) if human else None, values)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImagesRefused(
            reason=f"{location.source} is not a folder, a zip, tar or Parquet file, or a CSV file in UTF-8: {error}"
        ) from error


def _cells(rows: Iterable[list[str]], columns: list[str], groups: Sequence[str]) -> Iterator[Iterator[str]]:
    """Yield the cells of each row in COLUMNS and `groups`. Skips empty rows; cells of missing columns are empty."""
    width = len(columns)
    pick = itemgetter(*(columns.index(name) if name in columns else width for name in (*COLUMNS, *groups)))
    for row in rows:
        if row:
            if len(row) != width:
                row = [*row[:width], *[""] * (width - len(row))]
            row.append("")
            yield map(str.strip, pick(row))


def list_json_lines(location: ImageSetLocation, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """List the lines of a JSON Lines file in order. Raises ImagesRefused."""
    resolve = ReferenceResolver(location, roots)
    with location.path.open(encoding="utf-8-sig") as file:
        for number in count(1):
            try:
                line = file.readline(MAX_LINE_CHARACTERS)
                entry = None if line.isspace() or not line else _entry(json.loads(line), resolve, location.groups)
            except InputRefused as refused:
                raise ImagesRefused(reason=f"{location.source}, line {number}: {refused}") from refused
            except (ValueError, RecursionError) as error:
                raise ImagesRefused(
                    reason=f"{location.source}, line {number}, is not JSON in UTF-8 of at most "
                    f"{MAX_LINE_CHARACTERS:,} characters: {error}"
                ) from error
            if not line:
                return
            if entry is not None:
                yield entry


def _entry(row: object, resolve: Callable[[str], str], groups: Sequence[str]) -> ImageEntry:
    if not isinstance(row, dict):
        raise ImagesRefused(reason="write an object with the keys image, label and human_map")
    name, label, human = to_text(row.get("image")), to_text(row.get("label")), to_text(row.get("human_map"))
    if name is None:
        raise ImagesRefused(reason="the image is missing")
    values = tuple(to_text(row.get(group)) for group in groups)
    return ImageEntry(name, label, resolve(name), resolve(human) if human else None, values)
