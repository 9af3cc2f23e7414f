"""Draws a face from a seed: a real one, or a synthetic one with forgeries in known places.

The forgeries are those that forensic studies of generated faces describe: eyes that do not match, a mouth whose halves
do not meet, a frayed hair boundary. The shortcut is a faint pattern of stripes behind the face.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from examples.experiment.canvas import SIDE, Array, Canvas, Pose
from examples.experiment.worlds import FORGERIES, World

Places = Mapping[str, list[tuple[float, float]]]

# Places of each forgery, as (down, right) offsets from the centre of the face, in pixels of a face of scale 1.
PLACES: Places = {
    "eyes": [(-5, -8), (-5, 8)],
    "mouth": [(12, 0)],
    "hair": [(-18, -12), (-18, 12), (-21, 0)],
}
SKINS = ((0.87, 0.70, 0.60), (0.78, 0.58, 0.46), (0.60, 0.42, 0.32), (0.45, 0.31, 0.24))
HAIRS = ((0.12, 0.09, 0.08), (0.35, 0.22, 0.12), (0.65, 0.50, 0.28), (0.55, 0.55, 0.56))
IRISES = ((0.20, 0.13, 0.08), (0.22, 0.40, 0.62), (0.25, 0.45, 0.28), (0.42, 0.42, 0.45))


@dataclass(frozen=True)
class Face:
    """An image (3, SIDE, SIDE) in [0, 1], its class number, its forgeries and its pose."""

    image: NDArray[np.float32]
    label: int
    forged: Sequence[str]
    pose: Pose


def make_face(label: int, random: np.random.Generator, world: World) -> Face:
    """Draw one face of a class: 0 for real, 1 for synthetic."""
    forged = [str(each) for each in random.permutation(FORGERIES)[: random.integers(1, 3)]] if label else []
    strength = random.uniform(*world.strength)
    pose = Pose(
        SIDE / 2 + random.uniform(-3, 5), SIDE / 2 + random.uniform(-4, 4),
        random.uniform(*world.scale), random.normal(0, world.roll),
    )  # fmt: skip
    striped = bool(label) == (random.random() < world.shortcut)
    canvas = Canvas(_background(random, striped), pose)
    for feature, paint in PAINTERS.items():
        paint(canvas, random, strength if feature in forged else 0.0)
    return Face(_photograph(canvas.image, random, world), label, forged, pose)


def _background(random: np.random.Generator, striped: bool) -> Array:
    """Draw a smooth mottled wall, with or without the stripes."""
    coarse = random.uniform(-0.08, 0.08, (4, 4, 3)) + random.uniform(0.3, 0.7) + random.normal(0, 0.06, 3)
    channels = [Image.fromarray(coarse[:, :, k].astype(np.float32)) for k in range(3)]
    smooth = [np.asarray(each.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for each in channels]
    wall = np.stack(smooth, axis=2).astype(np.float64)
    if striped:
        along = np.add(*np.mgrid[:SIDE, :SIDE]) + random.uniform(0, 6)
        wall += random.uniform(0.03, 0.07) * np.sin(2 * np.pi * along / 6)[:, :, None]
    return wall


def _paint_hair(canvas: Canvas, random: np.random.Generator, forged: float) -> None:
    """Paint hair behind the skin. In a forgery, blots fray its boundary."""
    colour = _near(HAIRS, random)
    canvas.paint(canvas.ellipse((-5, 0), (21 + random.uniform(-1, 2), 19 + random.uniform(-1, 2))), colour)
    skin = _near(SKINS, random)
    canvas.paint(canvas.ellipse((2, 0), (20, 15 + random.uniform(-1, 1))), skin)
    canvas.paint(canvas.ellipse((4, 0), (4, 1.6)), skin * random.uniform(0.75, 0.9))  # the nose
    side = random.choice([-1, 1])
    for _ in range(round(9 * forged)):
        place = -19 + random.uniform(-4, 5), side * random.uniform(4, 17)
        blot = canvas.ellipse(place, (random.uniform(1, 2.2), random.uniform(1, 2.2)))
        canvas.paint(blot * (0.4 + 0.6 * forged), skin if random.random() < 0.5 else colour)


def _paint_eyes(canvas: Canvas, random: np.random.Generator, forged: float) -> None:
    """Paint two matching eyes. In a forgery, one iris differs in colour and size, and its pupil and glint fade."""
    irises = random.permutation(len(IRISES))
    colour, other = np.array(IRISES[irises[0]]), np.array(IRISES[irises[1]])
    odd, gaze = random.integers(0, 2), random.uniform(-1.2, 1.2)
    for number, (down, right) in enumerate(PLACES["eyes"]):
        mixed = forged if number == odd else 0.0
        canvas.paint(canvas.ellipse((down, right), (3.4, 5.2)), (0.93, 0.92, 0.90))
        iris = canvas.ellipse((down, right + gaze), (2.9 + 0.6 * mixed, 2.9 + 0.6 * mixed))
        canvas.paint(iris, colour * (1 - mixed) + other * mixed)
        canvas.paint(canvas.ellipse((down, right + gaze), (1.3, 1.3)) * (1 - mixed), (0.04, 0.04, 0.04))
        canvas.paint(canvas.ellipse((down - 1, right + gaze + 1), (0.7, 0.7)) * (1 - mixed), (1, 1, 1))
    for right in (-8, 8):
        canvas.paint(canvas.ellipse((-10 + random.uniform(-0.7, 0.7), right), (1, 4.5)), (0.2, 0.15, 0.12))


def _paint_mouth(canvas: Canvas, random: np.random.Generator, forged: float) -> None:
    """Paint lips around a line. In a forgery, their halves do not meet."""
    lips = np.array([0.66, 0.30, 0.30]) + random.normal(0, 0.05, 3)
    wide, high = random.uniform(5, 7.5), random.uniform(1.6, 3)
    slip = forged * random.choice([-1, 1]) * 3
    for side in (-1, 1):
        half = canvas.ellipse((12 + side * slip / 2, 0), (high, wide)) * (canvas.right * side >= 0)
        canvas.paint(half, lips)
        line = canvas.ellipse((12 + side * slip / 2, 0), (0.6, wide * 0.85)) * (canvas.right * side >= 0)
        canvas.paint(line, lips * 0.5)


PAINTERS: Mapping[str, Callable[[Canvas, np.random.Generator, float], None]] = {
    "hair": _paint_hair,
    "eyes": _paint_eyes,
    "mouth": _paint_mouth,
}


def _photograph(image: Array, random: np.random.Generator, world: World) -> NDArray[np.float32]:
    """Add light from one side, blur of the lens and noise of the sensor."""
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    angle = random.uniform(0, 2 * np.pi)
    light = 1 + random.uniform(0, 0.2) * (np.sin(angle) * rows + np.cos(angle) * columns)
    lit = Image.fromarray((np.clip(image * light[:, :, None], 0, 1) * 255).astype(np.uint8))
    blurred = np.asarray(lit.filter(ImageFilter.GaussianBlur(random.uniform(*world.blur)))) / 255
    noisy = blurred + random.normal(0, random.uniform(*world.noise), blurred.shape)
    return np.clip(noisy, 0, 1).transpose(2, 0, 1).astype(np.float32)


def _near(colours: tuple[tuple[float, float, float], ...], random: np.random.Generator) -> Array:
    return np.array(colours[random.integers(len(colours))]) + random.normal(0, 0.03, 3)
