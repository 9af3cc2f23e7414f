"""The maps, images, sheets of heat maps and sums of maps that a job stores. Knows no HTTP and no SQL.

Maps are stored at the native size of their method, as float16.
"""

import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

BYTES_PER_VALUE = 2  # of a float16
SUM_UNIT = 2.0**-30  # unit of sums of maps: finer than float32 near 1, and a sum of 2^33 maps fits in 63 bits
MAX_STORED_SIDE = 64  # larger native maps, such as those of the method saliency, are computed on request
MAX_MEAN_SIDE = 16  # largest side of mean maps, which show no finer detail
MAX_MEAN_CLASSES = 20
PALETTE_BYTES = 768  # 256 RGB colours


@dataclass(frozen=True)
class StoredMaps:
    """An image's native maps in one variant under all K runs of a cohort: little-endian float16 (K, h, w) in zlib."""

    cohort: int
    image: int
    variant: str
    data: bytes

    def of_run(self, run: int, size: Sequence[int]) -> bytes:
        """Return one run's map as float16; `size` is the height and width of the native maps."""
        length = BYTES_PER_VALUE * size[0] * size[1]
        return zlib.decompress(self.data)[run * length : (run + 1) * length]


@dataclass(frozen=True)
class StoredImage:
    """An image as a cohort's models receive it, and a sheet of their maps: a row per run, a column per variant.

    `palette_image` is packed by `pack_image`; `thumb` and `sheet` are WebP. A cohort that preprocesses its images
    exactly as an earlier cohort does has neither `palette_image` nor `thumb`: it uses those of the earlier cohort.
    """

    cohort: int
    image: int
    sheet: bytes | None
    palette_image: bytes | None
    thumb: bytes | None


@dataclass(frozen=True)
class ClassSum:
    """The sum of the maps of all images of a class under all runs of a cohort, at reduced size.
    The label "" stands for the images of all classes.
    """

    cohort: int
    label: str
    count: int
    data: bytes

    def mean(self, size: Sequence[int]) -> list[list[float]]:
        """Return the mean map as a list of rows; `size` is the height and width of the models' input."""
        sums = np.frombuffer(self.data, np.int64).reshape(-1, small_size(size)[1])
        mean: list[list[float]] = (SUM_UNIT / self.count * sums).tolist()
        return mean


def small_size(size: Sequence[int]) -> tuple[int, int]:
    """Return the height and width of mean maps for models whose input has this height and width."""
    return min(size[0], MAX_MEAN_SIDE), min(size[1], MAX_MEAN_SIDE)


@dataclass(frozen=True)
class MapRequest:
    """A request for the maps of an image in some variants under all models of a cohort.

    The maps are stored as long as the job if `is_permanent` is true, otherwise for a day.
    """

    job: str
    image: int
    cohort: int
    variants: Sequence[str]
    is_permanent: bool


def pack_image(image: Image.Image) -> bytes:
    """Pack an image with a palette: zlib over height and width as uint16, 256 RGB colours, and a byte per pixel."""
    head = array("H", [image.height, image.width]).tobytes()
    palette = bytes(image.getpalette() or ()).ljust(PALETTE_BYTES, b"\0")
    return zlib.compress(head + palette + image.tobytes(), 9)


def unpack_image(data: bytes) -> Image.Image:
    """Return the image that `pack_image` packed."""
    plain = zlib.decompress(data)
    height, width = array("H", plain[:4])
    image = Image.frombytes("P", (width, height), plain[4 + PALETTE_BYTES :])
    image.putpalette(plain[4 : 4 + PALETTE_BYTES])
    return image
