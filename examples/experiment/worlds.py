"""Populations of images: what varies in them, which forgeries occur, and what the background reveals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

CLASSES = ("real", "synthetic")
FORGERIES = ("eyes", "mouth", "hair")

Range = tuple[float, float]


@dataclass(frozen=True)
class World:
    """One population.

    `shortcut` is the share of images whose background agrees with their label: stripes for synthetic, none for real.
    At 0.5, the background carries no information. `strength` is the visibility of forgeries, from 0 (invisible) to 1
    (obvious). `scale` (range) and `roll` (standard deviation in radians) set the pose of faces. `noise` (grey levels in
    [0, 1]) and `blur` (pixels) set the camera.
    """

    shortcut: float
    strength: Range = (0.75, 1.0)
    scale: Range = (1.0, 1.25)
    roll: float = 0.12
    noise: Range = (0.01, 0.025)
    blur: Range = (0.0, 0.5)


TRAINING = World(shortcut=0.75)
UNCORRELATED = replace(TRAINING, shortcut=0.5)

# No model was trained on an image of a test set.
TEST_WORLDS: Mapping[str, World] = {
    "as in training": TRAINING,
    "no shortcut": UNCORRELATED,
    "shortcut reversed": replace(TRAINING, shortcut=0.25),
    "fainter forgeries": replace(UNCORRELATED, strength=(0.45, 0.75)),
    "another camera": replace(UNCORRELATED, noise=(0.025, 0.04), blur=(0.2, 0.6), scale=(0.9, 1.1), roll=0.2),
}
