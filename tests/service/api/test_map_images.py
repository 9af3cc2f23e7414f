from io import BytesIO

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from service.api.map_images import INFERNO, MAX_OPACITY, MIN_OPACITY, overlay_png, to_npy, transform_image
from service.domain.maps import pack_image, unpack_image
from worker.maps.encode import to_palette_image
from worker.probes.geometry import transform
from worker.salience.maps import resize_maps

SIDE = 12


def grey_image() -> tuple[Image.Image, torch.Tensor]:
    """Return a random palette image of 256 grey levels, and its pixels as a tensor (1, H, W)."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.putpalette([level for level in range(256) for _ in range(3)])
    return image, torch.from_numpy(pixels)[None]


@pytest.mark.parametrize(
    ("native", "size"), [((7, 7), (56, 56)), ((3, 5), (32, 48)), ((24, 24), (24, 24)), ((1, 2), (9, 8))]
)
def test_an_overlay_shows_the_resized_map_in_inferno_colours_over_the_image(
    native: tuple[int, int], size: tuple[int, int]
) -> None:
    random = np.random.default_rng(0)
    values = random.random(native, dtype=np.float32).astype("<f2")
    image = unpack_image(to_palette_image(torch.from_numpy(random.random((3, *size), dtype=np.float32))))
    drawn = np.asarray(Image.open(BytesIO(overlay_png(image, values.tobytes(), native))))
    levels = resize_maps(torch.from_numpy(values.astype(np.float32))[None], size)[0].numpy() * 255
    whole = np.round(levels).astype(int)
    share = (MIN_OPACITY + (MAX_OPACITY - MIN_OPACITY) * whole / 255)[..., None]
    expected = (1 - share) * np.asarray(image.convert("RGB")) + share * INFERNO[whole]
    # Pixels whose level is not so close to a half that it could be rounded up or down.
    steady = np.abs(levels % 1 - 0.5) > 0.01
    assert drawn.shape == (*size, 3)
    assert np.abs(drawn - expected)[steady].max() <= 0.5


def test_numpy_can_load_a_map_that_is_downloaded_as_npy() -> None:
    values = np.random.default_rng(1).random((5, 7)).astype("<f2")
    read = np.load(BytesIO(to_npy(values.tobytes(), (5, 7))))
    assert read.dtype == "<f2"
    assert np.array_equal(read, values)


def test_a_stored_image_differs_little_from_the_original() -> None:
    ramp = torch.linspace(0, 1, 32).expand(3, 24, 32)
    image = unpack_image(to_palette_image(ramp))
    assert image.size == (32, 24)
    assert np.abs(np.asarray(image.convert("RGB")) / 255 - ramp.permute(1, 2, 0).numpy()).max() < 0.03


def test_packing_and_unpacking_an_image_keeps_its_pixels_and_palette() -> None:
    image, _ = grey_image()
    unpacked = unpack_image(pack_image(image))
    assert (unpacked.tobytes(), unpacked.getpalette()) == (image.tobytes(), image.getpalette())


@pytest.mark.parametrize("name", ["hflip", "vflip", "rot90", "rot270", "shift:3,-2", "shift:-4,0", "shift:0,5"])
def test_a_displayed_image_is_transformed_as_in_the_audit(name: str) -> None:
    image, values = grey_image()
    assert np.array_equal(levels(transform_image(image, name)), transform(values, name)[0].numpy())


@pytest.mark.parametrize("name", ["rotate:90", "rotate:-90", "rotate:180"])
def test_a_displayed_image_is_rotated_in_the_same_direction_as_in_the_audit(name: str) -> None:
    image, values = grey_image()
    assert np.array_equal(levels(transform_image(image, name)), transform(values.double(), name)[0].round().numpy())


@pytest.mark.parametrize("name", ["clean", "noise:0.2", "background", "object", "most:0.25"])
def test_variants_without_a_geometric_transformation_display_the_original_image(name: str) -> None:
    image, _ = grey_image()
    assert transform_image(image, name) is image


def levels(image: Image.Image) -> NDArray[np.uint8]:
    """Return the grey levels of a palette image, (H, W)."""
    return np.asarray(image.convert("L"))
