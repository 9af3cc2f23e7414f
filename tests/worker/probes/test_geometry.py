import numpy as np
import pytest
import torch

from service.spec import TRANSFORMS
from worker.probes.geometry import crop_valid, transform

TWINS = {
    "hflip": lambda a: a[..., :, ::-1],
    "vflip": lambda a: a[..., ::-1, :],
    "rot90": lambda a: np.rot90(a, 1, axes=(-2, -1)),
    "rot270": lambda a: np.rot90(a, -1, axes=(-2, -1)),
}


def shift(values: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Pad with the edge on every side, then cut the window that lies dx, dy before the content."""
    pad = 32
    padded = np.pad(values, ((pad, pad), (pad, pad)), mode="edge")
    height, width = values.shape
    return padded[pad - dy : pad - dy + height, pad - dx : pad - dx + width]


@pytest.mark.parametrize("name", ["hflip", "vflip", "rot90", "rot270"])
def test_flips_and_quarter_turns_are_numpys(name: str) -> None:
    values = torch.rand(2, 3, 6, 6)
    assert np.array_equal(transform(values, name).numpy(), TWINS[name](values.numpy()))


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name.startswith("shift")])
def test_a_shift_moves_right_and_down_and_repeats_the_edge(name: str) -> None:
    values = torch.rand(20, 24)
    dx, dy = map(int, name.removeprefix("shift:").split(","))
    assert np.array_equal(transform(values, name).numpy(), shift(values.numpy(), dx, dy))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_valid_part_is_what_came_from_inside_the_frame(name: str) -> None:
    numbered = torch.arange(1.0, 20 * 20 + 1).reshape(20, 20)
    inside = crop_valid(transform(numbered, name), name).flatten().tolist()
    assert len(set(inside)) == len(inside)
    dx, dy = map(int, name.removeprefix("shift:").split(",")) if name.startswith("shift") else (0, 0)
    assert len(inside) == (20 - abs(dx)) * (20 - abs(dy))


def test_an_unknown_transformation_is_an_error() -> None:
    with pytest.raises(ValueError, match="twist"):
        transform(torch.zeros(2, 2), "twist")
