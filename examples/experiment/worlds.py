"""Populations of pictures: what varies in them, which forgeries occur, and what the background gives away."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

CLASSES = ("real", "synthetic")
FORGERIES = ("eyes", "mouth", "hair")

Range = tuple[float, float]


@dataclass(frozen=True)
class World:
    """One population.

    `shortcut` is the share of pictures whose background has the stripes that go with their label; at 0.5 they
    tell nothing. `strength` is how plain forgeries are, between unseen (0) and glaring (1). `scale` and `roll`
    say how faces are held, `noise` and `blur` what the camera does, in grey levels of [0, 1] and pixels.
    """

    shortcut: float
    strength: Range = (0.75, 1.0)
    scale: Range = (1.0, 1.25)
    roll: float = 0.12
    noise: Range = (0.01, 0.025)
    blur: Range = (0.0, 0.5)


TRAINING = World(shortcut=0.75)
UNCORRELATED = replace(TRAINING, shortcut=0.5)

# Every test set is made of pictures that no model was trained on.
TEST_WORLDS: Mapping[str, World] = {
    "as in training": TRAINING,
    "no shortcut": UNCORRELATED,
    "shortcut reversed": replace(TRAINING, shortcut=0.25),
    "fainter forgeries": replace(UNCORRELATED, strength=(0.45, 0.75)),
    "another camera": replace(UNCORRELATED, noise=(0.025, 0.04), blur=(0.2, 0.6), scale=(0.9, 1.1), roll=0.2),
}
