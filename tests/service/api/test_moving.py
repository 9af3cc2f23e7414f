import numpy as np
import pytest
import torch

from service.api.moving import transform_image
from service.domain.maps import PaletteImage
from worker.probes.geometry import transform


def square(side: int = 12) -> tuple[PaletteImage, torch.Tensor]:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    return PaletteImage(side, side, bytes(range(256)) * 3, pixels.tobytes()), torch.from_numpy(pixels)[None]


@pytest.mark.parametrize("name", ["hflip", "vflip", "rot90", "rot270", "shift:3,-2", "shift:-4,0", "shift:0,5"])
def test_pictures_move_as_the_audit_moves_them(name: str) -> None:
    image, values = square()
    expected = transform(values, name)[0].numpy()
    assert np.array_equal(np.frombuffer(transform_image(image, name).pixels, np.uint8).reshape(12, 12), expected)


@pytest.mark.parametrize("name", ["rotate:90", "rotate:-90", "rotate:180"])
def test_rotations_turn_the_same_way(name: str) -> None:
    image, values = square()
    expected = transform(values.double(), name)[0].round().numpy()
    assert np.array_equal(np.frombuffer(transform_image(image, name).pixels, np.uint8).reshape(12, 12), expected)


@pytest.mark.parametrize("name", ["clean", "noise:0.2", "background", "object", "most:0.25"])
def test_what_moves_nothing_leaves_the_picture(name: str) -> None:
    image, _ = square()
    assert transform_image(image, name) is image
