"""Draws the figures of the page: maps as colours over faces, in rows, as small PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from examples.experiment.canvas import SIDE

Array = NDArray[np.float32]
GAP = 4
HEADING = 14
# From no salience to the highest: black, violet, orange, pale yellow.
COLOURS = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], dtype=np.float32)
PALETTE_SIZE = 128  # keeps the files small


def draw_means(maps: Mapping[str, Array], human: Array, path: Path) -> None:
    """Draw the mean map of every run, one row per cohort, and the mean human map in the last row."""
    rows = [(name, [_heat(run.mean(0)) for run in runs]) for name, runs in maps.items()]
    _sheet([*rows, ("people", [_heat(human.mean(0))])], path)


def draw_examples(maps: Mapping[str, Array], images: Array, human: Array, path: Path) -> None:
    """Draw a row of images (n, SIDE, SIDE, 3), a row with their human maps, and a row of maps for every run."""
    rows = [("the images", list(images)), ("people", [_over(*each) for each in zip(images, human, strict=True)])]
    for name, runs in maps.items():
        for number, run in enumerate(runs, 1):
            rows.append((f"{name}, run {number}", [_over(*each) for each in zip(images, run, strict=True)]))
    _sheet(rows, path)


def _heat(values: Array) -> Array:
    """Convert a map (h, w) in [0, 1] into colours (h, w, 3) in [0, 1]."""
    places = np.linspace(0, 1, len(COLOURS))
    colours = [np.interp(values, places, COLOURS[:, k]) for k in range(3)]
    return np.stack(colours, axis=2).astype(np.float32) / np.float32(255)


def _over(image: Array, values: Array) -> Array:
    cover = np.clip(values, 0, 1)[:, :, None] * 0.75
    return np.asarray(image * (1 - cover) * 0.8 + _heat(values) * cover, dtype=np.float32)


def _sheet(rows: Sequence[tuple[str, Sequence[Array]]], path: Path) -> None:
    """Draw rows of tiles, each row below its name."""
    across, pitch = max(len(tiles) for _, tiles in rows), SIDE + GAP
    sheet = Image.new("RGB", (across * pitch - GAP, len(rows) * (pitch + HEADING)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (name, tiles) in enumerate(rows):
        top = row * (pitch + HEADING)
        pen.text((0, top), name, fill="black")
        for column, tile in enumerate(tiles):
            shown = Image.fromarray((np.clip(tile, 0, 1) * 255).round().astype(np.uint8))
            sheet.paste(shown, (column * pitch, top + HEADING))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(PALETTE_SIZE).save(path, optimize=True)
