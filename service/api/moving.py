"""Pictures moved as the audit's transformations move them, to lie under the maps of the moved pictures. Pure Python.

Rotations and scalings take the nearest pixel, which is enough to look at.
"""

import math
from collections.abc import Callable

from service.domain.maps import PaletteImage

PixelSource = Callable[[int, int], tuple[int, int]]  # from a row and a column to where its pixel comes from


def transform_image(picture: PaletteImage, variant: str) -> PaletteImage:
    """The picture under a variant's map; one that a variant does not move is as it was."""
    height, width = picture.height, picture.width
    kind, _, amount = variant.partition(":")
    exact: dict[str, PixelSource] = {
        "hflip": lambda row, column: (row, width - 1 - column),
        "vflip": lambda row, column: (height - 1 - row, column),
        "rot90": lambda row, column: (column, width - 1 - row),
        "rot270": lambda row, column: (height - 1 - column, row),
    }
    if variant in exact:
        return _sample(picture, exact[variant])
    if kind == "shift":
        dx, dy = map(int, amount.split(","))
        return _sample(picture, lambda row, column: (row - dy, column - dx))
    if kind in ("rotate", "scale"):
        turn = (float(amount), 1.0) if kind == "rotate" else (0.0, float(amount))
        return _sample(picture, _affine(picture, *turn))
    return picture


def _affine(picture: PaletteImage, degrees: float, scale: float) -> PixelSource:
    """Counter-clockwise about the centre; rows count downwards."""
    cos, sin = math.cos(math.radians(degrees)) / scale, math.sin(math.radians(degrees)) / scale
    middle, centre = (picture.height - 1) / 2, (picture.width - 1) / 2

    def source(row: int, column: int) -> tuple[int, int]:
        x, y = column - centre, row - middle
        return round(middle + sin * x + cos * y), round(centre + cos * x - sin * y)

    return source


def _sample(picture: PaletteImage, source: PixelSource) -> PaletteImage:
    """Every pixel from its source; where that lies outside, from the nearest inside."""
    pixels = bytearray()
    for row in range(picture.height):
        for column in range(picture.width):
            y, x = source(row, column)
            y, x = min(max(y, 0), picture.height - 1), min(max(x, 0), picture.width - 1)
            pixels.append(picture.pixels[y * picture.width + x])
    return PaletteImage(picture.height, picture.width, picture.palette, bytes(pixels))
