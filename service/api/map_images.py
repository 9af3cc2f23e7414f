"""Draws a map over its image as PNG, and writes a map as a NumPy file; holds the colormap of all heat maps."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MIN_OPACITY, MAX_OPACITY = 0.28, 0.8

# The perceptually uniform colormap inferno, by van der Walt and Smith (CC0), sampled at equal distances.
ANCHORS = """
000004 040312 0b0724 150b37 210c4a 2e0a5a 3c0965 4a0c6b 57106d 63146e 70196e 7d1e6d 89226a 962766 a32b61 af315c
bb3755 c63e4d d14644 db4f3b e35932 eb6528 f1711e f67f14 f98d0a fb9c06 fcab0f fbba1f f9ca32 f5d949 f2e865 f3f586
fcffa4
"""


def _interpolate_colours() -> NDArray[np.uint8]:
    """Return (256, 3) colours, from dark to bright."""
    anchors = np.frombuffer(bytes.fromhex(ANCHORS), np.uint8).reshape(-1, 3)
    positions = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(positions, np.arange(len(anchors)), channel) for channel in anchors.T]
    return np.rint(np.stack(channels, 1)).astype(np.uint8)


INFERNO = _interpolate_colours()


def to_level(value: float) -> int:
    """Return the level, 0 to 255, of a value; values outside [0, 1] are clipped."""
    return max(0, min(255, round(255 * value)))


def to_hex(value: float) -> str:
    """Return the CSS colour of a value in [0, 1]."""
    return "#" + bytes(INFERNO[to_level(value)]).hex()


def overlay_png(image: Image.Image, native: bytes, size: Sequence[int]) -> bytes:
    """Draw a native map, (h, w) float16 of this `size`, over its image, after resizing the map as the audit does.

    Low values are more transparent than high values, so that the image stays visible under the map.
    """
    values = Image.fromarray(_to_array(native, size).astype(np.float32))
    resized = np.asarray(values.resize(image.size, Image.Resampling.BICUBIC), np.float64)
    levels = np.rint(255 * resized).clip(0, 255).astype(np.uint8)
    opacity = (MIN_OPACITY + (MAX_OPACITY - MIN_OPACITY) * levels / 255)[..., None]
    mixed = (1 - opacity) * np.asarray(image.convert("RGB")) + opacity * INFERNO[levels]
    content = BytesIO()
    Image.fromarray(np.rint(mixed).astype(np.uint8)).save(content, "PNG")
    return content.getvalue()


def to_npy(native: bytes, size: Sequence[int]) -> bytes:
    """Return a native map, (h, w) float16, as a file that `numpy.load` reads."""
    content = BytesIO()
    np.save(content, _to_array(native, size))
    return content.getvalue()


def transform_image(image: Image.Image, variant: str) -> Image.Image:
    """Transform an image as the audit does for a variant, so that it fits under the variant's map.

    Rotations and scalings sample the nearest pixel. Noise and blur are not drawn.
    """
    kind, _, amount = variant.partition(":")
    if variant in TRANSPOSITIONS:
        return image.transpose(TRANSPOSITIONS[variant])
    if kind == "shift":
        dx, dy = map(int, amount.split(","))
        return _sample(image, np.eye(2), (dx, dy))
    if kind == "rotate":
        angle = np.deg2rad(float(amount))
        return _sample(image, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))
    return _sample(image, np.eye(2) / float(amount)) if kind == "scale" else image


TRANSPOSITIONS = {
    "hflip": Image.Transpose.FLIP_LEFT_RIGHT,
    "vflip": Image.Transpose.FLIP_TOP_BOTTOM,
    "rot90": Image.Transpose.ROTATE_90,
    "rot270": Image.Transpose.ROTATE_270,
}


def _sample(image: Image.Image, matrix: NDArray[np.float64], shift: tuple[int, int] = (0, 0)) -> Image.Image:
    """Return an image that takes its pixel (x, y) from `matrix` @ (x, y) - `shift`, with the centre as origin.

    Points outside the image take the value of the nearest edge pixel.
    """
    centre = (np.array(image.size) - 1) / 2
    rows, columns = np.indices((image.height, image.width))
    offsets = np.stack([columns, rows], -1) - centre
    source = np.rint(centre + offsets @ matrix.T - shift).astype(int).clip(0, np.array(image.size) - 1)
    moved = Image.fromarray(np.asarray(image)[source[..., 1], source[..., 0]])
    if (palette := image.getpalette()) is not None:
        moved.putpalette(palette)
    return moved


def _to_array(native: bytes, size: Sequence[int]) -> NDArray[np.float16]:
    return np.frombuffer(native, "<f2").reshape(tuple(size))
