import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from service.spec.cohort import Preprocessing, ShorterSide
from worker.inputs.decode import UnreadableImage, decode, read_image

SMALL = Preprocessing(size=(12, 10))


def image(width: int = 30, height: int = 20, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    out = BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "how"), [("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)]
)
def test_an_image_is_resized_as_by_pillow_and_its_values_are_scaled_to_0_to_1(name: str, how: Image.Resampling) -> None:
    found = decode(encoded(image()), SMALL.model_copy(update={"interpolation": name}))
    twin = np.asarray(image().resize((10, 12), Image.Resampling[name.upper()])).transpose(2, 0, 1) / 255
    assert found.dtype == torch.float32
    assert np.allclose(found.numpy(), twin, atol=1e-7)


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_resized_image_has_the_bits_of_pillows_eight_bit_resize_over_255(mode: str) -> None:
    content = encoded(image(61, 47, mode))
    resized = Image.open(BytesIO(content)).convert("RGB").resize((10, 12), Image.Resampling.BILINEAR)
    twin = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float().div(255)  # as torchvision's ToTensor
    assert torch.equal(decode(content, SMALL), twin)


def test_resizing_the_shorter_side_crops_the_centre() -> None:
    found = decode(encoded(image(30, 20)), Preprocessing(size=(8, 8), resize=ShorterSide(shorter=10)))
    resized = image(30, 20).resize((15, 10), Image.Resampling.BILINEAR)
    left, top = round((15 - 8) / 2), round((10 - 8) / 2)
    twin = np.asarray(resized)[top : top + 8, left : left + 8].transpose(2, 0, 1) / 255
    assert np.allclose(found.numpy(), twin, atol=1e-7)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_images_of_every_mode_become_rgb(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert decode(encoded(image(mode=mode), kind), SMALL).shape == (3, 12, 10)


def test_the_digest_is_the_sha256_of_the_files_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(encoded(image()))
    assert read_image(file.read_bytes(), SMALL).digest == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an image"),
        (b"hello", "not an image"),
        (encoded(image())[:200], "damaged"),
        (encoded(image(), "JPEG")[:400], "damaged"),
    ],
)
def test_an_unreadable_image_has_a_reason(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableImage, match=message):
        decode(content, SMALL)


def test_an_image_of_enormous_size_is_not_decoded() -> None:
    bomb = BytesIO()
    Image.new("1", (20000, 20000)).save(bomb, "PNG")
    with pytest.raises(UnreadableImage, match="too large"):
        decode(bomb.getvalue(), SMALL)


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16).repeat(64).reshape(64, 64)
    found = decode(encoded(Image.fromarray(ramp)), Preprocessing(size=(64, 64)))
    assert np.abs(found.numpy() - ramp / 65535).max() <= 0.5 / 255 + 1e-6


def test_pixels_without_a_known_range_are_refused() -> None:
    floats = Image.fromarray(np.random.default_rng(0).random((8, 8)).astype(np.float32))
    with pytest.raises(UnreadableImage, match="known range"):
        decode(encoded(floats, "TIFF"), SMALL)


def test_an_image_that_is_too_long_for_its_shorter_side_is_refused() -> None:
    with pytest.raises(UnreadableImage, match="too long"):
        decode(encoded(image(20_000, 1)), Preprocessing(size=(64, 64), resize=ShorterSide(shorter=64)))
