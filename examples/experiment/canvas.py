"""Paints soft shapes in the coordinates of a face. Knows nothing of faces or labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SIDE = 64


@dataclass(frozen=True)
class Pose:
    """Pose of a face: centre (row, column) in pixels, scale relative to 1, and roll in radians."""

    row: float
    column: float
    scale: float
    roll: float

    def grid(self) -> tuple[Array, Array]:
        """Return the offset of every pixel down and right from the centre, each (SIDE, SIDE), in face coordinates."""
        rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float64)
        down, right = (rows - self.row) / self.scale, (columns - self.column) / self.scale
        sine, cosine = np.sin(self.roll), np.cos(self.roll)
        return cosine * down - sine * right, sine * down + cosine * right


class Canvas:
    """An image (SIDE, SIDE, 3) that is painted in the coordinates of a pose."""

    def __init__(self, background: Array, pose: Pose) -> None:
        self.image = background
        self.down, self.right = pose.grid()

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float]) -> Array:
        """Return the share of each pixel that an ellipse with a soft edge covers, (SIDE, SIDE) in [0, 1]."""
        distance = np.hypot((self.down - centre[0]) / radii[0], (self.right - centre[1]) / radii[1])
        return np.clip((1 - distance) * min(radii) + 0.5, 0, 1)

    def bump(self, centre: tuple[float, float], sigma: float) -> Array:
        """Return a Gaussian of height 1, (SIDE, SIDE)."""
        square = (self.down - centre[0]) ** 2 + (self.right - centre[1]) ** 2
        return np.asarray(np.exp(-square / (2 * sigma**2)))

    def paint(self, cover: Array, colour: ArrayLike) -> None:
        """Blend a colour into the image with the opacity `cover`, (SIDE, SIDE) in [0, 1]."""
        self.image = self.image * (1 - cover[:, :, None]) + np.asarray(colour) * cover[:, :, None]
