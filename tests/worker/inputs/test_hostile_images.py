"""Odd and hostile images: each is decoded correctly or refused with a reason."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from service.spec.cohort import Preprocessing
from worker.inputs.decode import UnreadableImage, decode

SIDE = 16
SMALL = Preprocessing(size=(SIDE, SIDE), interpolation="nearest")


def halves(mode: str = "RGB") -> Image.Image:
    """An image whose upper half is red and whose lower half is blue."""
    values = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    values[: SIDE // 2, :, 0], values[SIDE // 2 :, :, 2] = 255, 255
    return Image.fromarray(values).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares the given size, but contains hardly any pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "tolerance"),
    [
        (encoded(halves("CMYK"), "TIFF"), 0.0),
        (encoded(halves("CMYK"), "JPEG", quality=100), 0.05),
        (encoded(halves("P")), 0.0),
        (encoded(halves("RGBA")), 0.0),
        (encoded(halves(), "WEBP", lossless=True), 0.0),
        (encoded(halves(), "BMP"), 0.0),
        (encoded(halves(), "GIF"), 0.0),
    ],
    ids=["cmyk tiff", "cmyk jpeg", "palette", "alpha", "webp", "bmp", "gif of one frame"],
)
def test_the_colours_of_an_image_are_the_same_in_every_file_format(content: bytes, tolerance: float) -> None:
    found = decode(content, SMALL).numpy()
    twin = np.asarray(halves()).transpose(2, 0, 1) / 255
    assert np.abs(found - twin).max() <= tolerance


def test_a_grey_image_is_the_same_with_eight_bits_sixteen_bits_or_a_palette() -> None:
    grey = np.full((SIDE, SIDE), 100, dtype=np.uint8)
    images = [Image.fromarray(grey), Image.fromarray(grey.astype(np.uint16) * 257), Image.fromarray(grey).convert("P")]
    images.append(Image.fromarray(grey).convert("LA"))
    for image in images:
        assert np.allclose(decode(encoded(image), SMALL).numpy(), 100 / 255)


@pytest.mark.parametrize("turn", range(1, 9))
def test_an_image_is_turned_by_its_exif_orientation(turn: int) -> None:
    shown = np.asarray(halves())
    stored = {
        1: shown, 2: shown[:, ::-1], 3: shown[::-1, ::-1], 4: shown[::-1],
        5: shown.transpose(1, 0, 2), 6: np.rot90(shown),
        7: shown[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(shown, -1),
    }[turn]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    content = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert np.allclose(decode(content, SMALL).numpy(), shown.transpose(2, 0, 1) / 255)


def test_a_colour_profile_in_an_image_is_ignored() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_profile = decode(encoded(halves(), icc_profile=profile), SMALL)
    assert np.array_equal(with_profile.numpy(), decode(encoded(halves()), SMALL).numpy())


def animated(kind: str) -> bytes:
    return encoded(halves(), kind, save_all=True, append_images=[halves().rotate(90)])


def text_bomb() -> bytes:
    """A PNG whose comment inflates to 100 megabytes."""
    plain = encoded(halves())
    data = b"Comment\0\0" + zlib.compress(bytes(100 * 2**20))
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    return plain[:33] + chunk + plain[33:]


def frame_without_width() -> bytes:
    """A TIFF whose second frame has no width."""
    width = struct.pack("<H", 256)
    before, _, after = animated("TIFF").rpartition(width + struct.pack("<H", 4))
    return before + struct.pack("<HH", 999, 4) + after


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png_header(100_000, 100_000), "too large"),
        (png_header(15_000, 15_000), "too large"),
        (png_header(4_000, 4_000), "damaged"),
        (text_bomb(), "damaged"),
        (animated("GIF"), "^has 2 frames"),
        (animated("WEBP"), "^has 2 frames"),
        (animated("TIFF"), "^has 2 frames"),
        (encoded(halves())[:-40], "damaged"),
        (frame_without_width(), "damaged"),
        (encoded(halves(), "JPEG")[:-60], "damaged"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(/etc/passwd) run\n",
            "damaged|not an image",
        ),
    ],
    ids=[
        "huge", "large", "lying", "text", "gif", "webp", "tiff", "cut png", "width", "cut jpeg", "svg", "postscript",
    ],
)  # fmt: skip
def test_a_file_without_exactly_one_image_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableImage, match=message):
        decode(content, SMALL)
