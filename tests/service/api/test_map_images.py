from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from service.api.colours import INFERNO, opacity_of
from service.api.map_images import npy, overlay_png
from service.domain.maps import PaletteImage
from worker.maps.encode import to_palette_image
from worker.salience.maps import resize_maps


@pytest.mark.parametrize(
    ("native", "size"), [((7, 7), (56, 56)), ((3, 5), (32, 48)), ((24, 24), (24, 24)), ((1, 2), (9, 8))]
)
def test_the_overlay_is_the_resized_map_in_inferno_over_the_picture(
    native: tuple[int, int], size: tuple[int, int]
) -> None:
    random = np.random.default_rng(0)
    values = random.random(native, dtype=np.float32).astype("<f2")
    image = PaletteImage.from_bytes(to_palette_image(torch.from_numpy(random.random((3, *size), dtype=np.float32))))
    drawn = np.asarray(Image.open(BytesIO(overlay_png(image, values.tobytes(), native))))
    levels = resize_maps(torch.from_numpy(values.astype(np.float32))[None], size)[0].numpy() * 255
    below = np.frombuffer(image.palette, np.uint8).reshape(256, 3)[np.frombuffer(image.pixels, np.uint8)]
    whole = np.round(levels).astype(int)
    share = np.array([opacity_of(level / 255) for level in range(256)])[whole][..., None]
    expected = (1 - share) * below.reshape(*size, 3) + share * np.array(INFERNO)[whole]
    steady = np.abs(levels % 1 - 0.5) > 0.01  # elsewhere rounding may fall either way
    assert drawn.shape == (*size, 3)
    assert np.abs(drawn - expected)[steady].max() <= 0.5


def test_a_map_is_a_file_that_numpy_reads() -> None:
    values = np.random.default_rng(1).random((5, 7)).astype("<f2")
    content = npy(values.tobytes(), (5, 7))
    assert np.array_equal(np.load(BytesIO(content)), values)
    assert (len(content) - values.nbytes) % 64 == 0


def test_a_picture_is_painted_close_to_what_it_was() -> None:
    ramp = torch.linspace(0, 1, 32).expand(3, 24, 32)
    painted = PaletteImage.from_bytes(to_palette_image(ramp))
    colours = np.frombuffer(painted.palette, np.uint8).reshape(256, 3)[np.frombuffer(painted.pixels, np.uint8)]
    assert (painted.height, painted.width) == (24, 32)
    assert np.abs(colours.reshape(24, 32, 3) / 255 - ramp.permute(1, 2, 0).numpy()).max() < 0.03
