"""A map over its picture as PNG, and a map as NumPy's file. Pure Python: the API has no imaging library."""

import struct
import zlib
from collections.abc import Sequence

from service.api.colours import INFERNO, opacity_of, to_level
from service.domain.maps import BYTES_PER_VALUE, PaletteImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NPY = b"\x93NUMPY\x01\x00"
CUBIC = -0.5  # Pillow's a


def overlay_png(picture: PaletteImage, native: bytes, size: Sequence[int]) -> bytes:
    """The picture with its native map (float16, h x w) over it, resized as the audit does."""
    levels = _resized_levels(native, size, (picture.height, picture.width))
    colours = [tuple(picture.palette[3 * n : 3 * n + 3]) for n in range(256)]
    mixed = {}
    rows = bytearray()
    for row, level_row in enumerate(levels):
        rows.append(0)  # PNG's filter `none`
        for place in zip(picture.pixels[row * picture.width : (row + 1) * picture.width], level_row, strict=True):
            if place not in mixed:
                mixed[place] = _blend_row(colours[place[0]], place[1])
            rows += mixed[place]
    return _png(picture.width, picture.height, bytes(rows))


def npy(native: bytes, size: Sequence[int]) -> bytes:
    """A native map (float16, h x w) as a file that `numpy.load` reads."""
    head = f"{{'descr': '<f2', 'fortran_order': False, 'shape': ({size[0]}, {size[1]}), }}"
    padded = head.ljust(-(-(len(head) + 11) // 64) * 64 - 11) + "\n"
    return NPY + struct.pack("<H", len(padded)) + padded.encode() + native


def _blend_row(below: Sequence[int], level: int) -> bytes:
    share = opacity_of(level / 255)
    return bytes(round((1 - share) * low + share * high) for low, high in zip(below, INFERNO[level], strict=True))


def _resized_levels(native: bytes, size: Sequence[int], wanted: tuple[int, int]) -> list[list[int]]:
    """The map resized, in 256 levels: bicubic, first the columns of each row, then the rows."""
    height, width = size
    values = struct.unpack(f"<{len(native) // BYTES_PER_VALUE}e", native)
    across = _weights(width, wanted[1])
    wide = [
        [sum(weight * values[row * width + place] for place, weight in taps) for taps in across]
        for row in range(height)
    ]
    found = []
    for taps in _weights(height, wanted[0]):
        mixed = zip(*([weight * value for value in wide[row]] for row, weight in taps), strict=True)
        found.append([to_level(sum(column)) for column in mixed])
    return found


def _weights(before: int, after: int) -> list[list[tuple[int, float]]]:
    """Which of `before` places make each of `after`, and their weights; never fewer than before."""
    if before == after:
        return [[(place, 1.0)] for place in range(before)]
    found = []
    for place in range(after):
        centre = (place + 0.5) * before / after - 0.5
        first = int(centre // 1) - 1
        near = [(each, _cubic_kernel(abs(centre - each))) for each in range(first, first + 4) if 0 <= each < before]
        whole = sum(weight for _, weight in near)
        found.append([(each, weight / whole) for each, weight in near])
    return found


def _cubic_kernel(x: float) -> float:
    if x < 1:
        return (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
    return CUBIC * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def _png(width: int, height: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
