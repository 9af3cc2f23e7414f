"""Manifests: CSV, or JSON a line, with the columns image, label and human_map."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from service.errors import ImagesRefused
from service.listing.entry import ImageEntry, Resolver, SetPlace, text_of

COLUMNS = ("image", "label", "human_map")
MOST_LINE = 1_000_000  # characters


def list_csv(place: SetPlace, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """The rows, in their order."""
    resolve = Resolver(place, roots)
    try:
        with place.path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            columns = next(rows, [])
            if "image" not in columns:
                raise ImagesRefused(
                    reason=f"{place.source} has no column `image`; its first line must name the columns"
                )
            places = [
                columns.index(name) if name in columns else len(columns) for name in ("image", "label", "human_map")
            ]
            for row in rows:
                if row:
                    name, label, human = (row[each].strip() if each < len(row) else "" for each in places)
                    if not name:
                        raise ImagesRefused(reason=f"{place.source}, line {rows.line_num}: no image is named")
                    yield ImageEntry(name, label or None, resolve(name), resolve(human) if human else None)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImagesRefused(reason=f"{place.source} is not a CSV file in UTF-8: {error}") from error


def list_json_lines(place: SetPlace, roots: Sequence[Path]) -> Iterator[ImageEntry]:
    """The lines, in their order."""
    resolve = Resolver(place, roots)
    with place.path.open(encoding="utf-8-sig") as file:
        for number in count(1):
            here = f"{place.source}, line {number}"
            try:
                line = file.readline(MOST_LINE)
                row = json.loads(line) if line.strip() else None
            except (ValueError, RecursionError) as error:
                raise ImagesRefused(reason=f"{here}, is not JSON in UTF-8 of a modest length: {error}") from error
            if not line:
                return
            if row is not None:
                yield _entry(row, here, resolve)


def _entry(row: object, here: str, resolve: Callable[[str], str]) -> ImageEntry:
    if not isinstance(row, dict):
        raise ImagesRefused(reason=f"{here}: write an object with the keys image, label and human_map")
    name, label, human = (text_of(row.get(key)) for key in ("image", "label", "human_map"))
    if name is None:
        raise ImagesRefused(reason=f"{here}: no image is named")
    return ImageEntry(name, label, resolve(name), resolve(human) if human else None)
