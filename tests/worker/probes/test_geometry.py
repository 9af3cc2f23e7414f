import numpy as np
import pytest
import torch

from service.measures.geometry import TRANSFORMS
from worker.models import architectures
from worker.probes.geometry import crop_valid, transform, valid_mask

TWINS = {
    "hflip": lambda a: a[..., :, ::-1],
    "vflip": lambda a: a[..., ::-1, :],
    "rot90": lambda a: np.rot90(a, 1, axes=(-2, -1)),
    "rot270": lambda a: np.rot90(a, -1, axes=(-2, -1)),
}


def shift(values: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Shift an image by (dx, dy): pad it with its edge on all sides, and crop the window at (-dx, -dy)."""
    pad = 32
    padded = np.pad(values, ((pad, pad), (pad, pad)), mode="edge")
    height, width = values.shape
    return padded[pad - dy : pad - dy + height, pad - dx : pad - dx + width]


@pytest.mark.parametrize("name", ["hflip", "vflip", "rot90", "rot270"])
def test_flips_and_quarter_turns_agree_with_numpy(name: str) -> None:
    values = torch.rand(2, 3, 6, 6)
    assert np.array_equal(transform(values, name).numpy(), TWINS[name](values.numpy()))


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name.startswith("shift")])
def test_a_shift_moves_an_image_right_and_down_and_repeats_its_edge(name: str) -> None:
    values = torch.rand(20, 24)
    dx, dy = map(int, name.removeprefix("shift:").split(","))
    assert np.array_equal(transform(values, name).numpy(), shift(values.numpy(), dx, dy))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_crop_valid_keeps_exactly_the_pixels_that_were_inside_the_frame_before_a_transformation(name: str) -> None:
    numbered = torch.arange(1.0, 20 * 20 + 1).reshape(20, 20)
    inside = crop_valid(transform(numbered, name), name).flatten().tolist()
    assert len(set(inside)) == len(inside)
    dx, dy = map(int, name.removeprefix("shift:").split(",")) if name.startswith("shift") else (0, 0)
    assert len(inside) == (20 - abs(dx)) * (20 - abs(dy))


def test_an_unknown_transformation_is_an_error() -> None:
    with pytest.raises(ValueError, match="twist"):
        transform(torch.zeros(2, 2), "twist")


@pytest.mark.parametrize("name", ["rotate:10", "rotate:-33.5", "rotate:90", "scale:0.5", "scale:1.25"])
@pytest.mark.parametrize("size", [(20, 20), (18, 25)])
def test_rotations_and_scalings_agree_with_torchvision(name: str, size: tuple[int, int]) -> None:
    # The next import then works even if torchvision was built for another torch.
    architectures.build("torchvision/alexnet", 2)
    from torchvision.transforms.functional import InterpolationMode, affine

    kind, _, amount = name.partition(":")
    angle, scale = (-float(amount), 1.0) if kind == "rotate" else (0.0, float(amount))  # torchvision rotates clockwise
    values = torch.rand(2, *size)
    twin = affine(values, angle, [0, 0], scale, [0.0, 0.0], InterpolationMode.BILINEAR)
    assert torch.allclose(transform(values, name), twin, atol=1e-5)


def test_a_rotation_turns_counter_clockwise_like_a_quarter_turn() -> None:
    values = torch.rand(1, 16, 16)
    assert torch.allclose(transform(values, "rotate:90"), transform(values, "rot90"), atol=1e-4)


@pytest.mark.parametrize("name", ["rotate:45", "scale:0.5"])
def test_the_valid_mask_of_a_rotation_or_scaling_marks_pixels_from_inside_the_frame(name: str) -> None:
    mask = valid_mask(torch.rand(2, 32, 32), name)
    assert mask is not None
    assert torch.equal(mask, transform(torch.ones(32, 32), name) > 0.999)
    assert 0 < mask.float().mean() < 1
    assert valid_mask(torch.rand(2, 32, 32), "hflip") is None
