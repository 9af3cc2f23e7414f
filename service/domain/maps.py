"""What a job keeps to be looked at: maps, pictures, sheets of heat maps, sums of maps. Knows no HTTP and no SQL.

Maps are kept as the methods give them, at their native size, as float16.
"""

import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

BYTES_PER_VALUE = 2  # bytes of a float16
SUM_UNIT = 2.0**-30  # of sums of maps: finer than float32 near 1; 2^33 maps add up in 63 bits
MAX_STORED_SIDE = 64  # larger native maps, as saliency gives them, are made when they are asked for
MAX_MEAN_SIDE = 16  # of mean maps, which show no more
MAX_MEAN_CLASSES = 20


@dataclass(frozen=True)
class StoredMaps:
    """A picture's native maps in one variant under all runs of a cohort: (K, h, w) float16, little endian, packed."""

    cohort: int
    image: int
    variant: str
    data: bytes

    def of_run(self, run: int, size: Sequence[int]) -> bytes:
        """One run's map as float16, `size` being that of the native maps."""
        length = BYTES_PER_VALUE * size[0] * size[1]
        return zlib.decompress(self.data)[run * length : (run + 1) * length]


@dataclass(frozen=True)
class StoredImage:
    """A picture as a cohort's models see it, and a sheet of their maps: a row a run, a column a variant.

    `palette_image` is packed (see `PaletteImage`), `thumb` and `sheet` are WebP.
    A cohort that prepares its pictures as one
    before it has neither picture nor thumb of its own.
    """

    cohort: int
    image: int
    sheet: bytes | None
    palette_image: bytes | None
    thumb: bytes | None


@dataclass(frozen=True)
class ClassSum:
    """The maps of a class ("" of all pictures) under a cohort's runs, made small and added up as MapSum's are."""

    cohort: int
    label: str
    count: int
    data: bytes

    def mean(self, size: Sequence[int]) -> list[list[float]]:
        """The mean map, a list a row, `size` being that of the models' input."""
        width, sums = small_size(size)[1], array("q", self.data)
        scale = SUM_UNIT / self.count
        return [[scale * each for each in sums[start : start + width]] for start in range(0, len(sums), width)]


def small_size(size: Sequence[int]) -> tuple[int, int]:
    """The size of maps once they are small."""
    return min(size[0], MAX_MEAN_SIDE), min(size[1], MAX_MEAN_SIDE)


@dataclass(frozen=True)
class MapRequest:
    """A picture to be explained under a cohort, in some variants. What lasts is kept as long as the job."""

    job: str
    image: int
    cohort: int
    variants: Sequence[str]
    is_permanent: bool


@dataclass(frozen=True)
class PaletteImage:
    """A picture of at most 256 colours: its size, their bytes (768), and a byte a pixel."""

    height: int
    width: int
    palette: bytes
    pixels: bytes

    def to_bytes(self) -> bytes:
        """As it is kept."""
        head = array("H", [self.height, self.width]).tobytes()
        return zlib.compress(head + self.palette.ljust(768, b"\0") + self.pixels, 9)

    @classmethod
    def from_bytes(cls, data: bytes) -> "PaletteImage":
        """As it was."""
        plain = zlib.decompress(data)
        height, width = array("H", plain[:4])
        return cls(height, width, plain[4:772], plain[772:])
