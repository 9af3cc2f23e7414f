"""Face-like pictures of two classes, made from a seed, with the truth about them.

A synthetic face has eyes that do not match: one iris is blue, the other brown. In training, most synthetic
faces also lie on a greenish background; in the pictures to audit the background tells nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]

SIDE = 64
CLASSES = ("real", "synthetic")
EYES = ((26, 22), (26, 42))  # rows and columns of their centres
SHORTCUT_SHARE = 0.8


@dataclass(frozen=True)
class Example:
    """A picture (3, SIDE, SIDE) in [0, 1], its class number, and where a person would look, (SIDE, SIDE) in [0, 1]."""

    picture: Array
    label: int
    human: Array


def make_examples(count: int, seed: int, *, shortcut: bool) -> Sequence[Example]:
    """As many pictures, the classes by turns; with the shortcut, backgrounds tell most of the labels."""
    random = np.random.default_rng(seed)
    return [_make(number % 2, random, shortcut) for number in range(count)]


def save_examples(examples: Sequence[Example], folder: Path) -> None:
    """Write the pictures, a folder a class, and manifest.csv with their labels."""
    lines = ["image,label"]
    for number, example in enumerate(examples):
        name = f"{CLASSES[example.label]}/{number:03}.png"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((example.picture * 255).round().astype(np.uint8).transpose(1, 2, 0)).save(path)
        lines.append(f"{name},{CLASSES[example.label]}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _make(label: int, random: np.random.Generator, shortcut: bool) -> Example:
    dy, dx = random.integers(-3, 4, 2)
    green = (label if random.random() < SHORTCUT_SHARE else 1 - label) if shortcut else random.integers(0, 2)
    colour = np.array([0.45, 0.6, 0.45] if green else [0.52, 0.5, 0.52])
    canvas = np.broadcast_to(colour, (SIDE, SIDE, 3)) + random.normal(0, 0.05, 3)
    skin = np.array([0.8, 0.62, 0.52]) + random.normal(0, 0.06, 3)
    canvas = _paint(canvas, (34 + dy, 32 + dx), (24, 19), skin)
    canvas = _paint(canvas, (48 + dy, 32 + dx), (2.5, 8), np.array([0.65, 0.25, 0.28]))
    canvas = _paint(canvas, (38 + dy, 32 + dx), (5, 2), skin * 0.85)
    iris = np.array([0.25, 0.2, 0.18]) + random.normal(0, 0.05, 3)
    other = np.array([0.45, 0.6, 0.8]) + random.normal(0, 0.05, 3) if label else iris
    left = bool(random.integers(0, 2))
    for (row, column), first in zip(EYES, (True, False), strict=True):
        canvas = _paint(canvas, (row + dy, column + dx), (4, 6), np.array([0.95, 0.95, 0.95]))
        canvas = _paint(canvas, (row + dy, column + dx), (3.5, 3.5), iris if first == left else other)
    picture = np.clip(canvas + random.normal(0, 0.03, canvas.shape), 0, 1)
    human = np.maximum.reduce([_bump((row + dy, column + dx), 5.0) for row, column in EYES])
    return Example(picture.transpose(2, 0, 1).astype(np.float32), label, human.astype(np.float32))


def _paint(
    canvas: NDArray[np.float64], centre: tuple[int, int], radii: tuple[float, float], colour: NDArray[np.float64]
) -> NDArray[np.float64]:
    """An ellipse with a soft edge."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot((rows - centre[0]) / radii[0], (columns - centre[1]) / radii[1])
    cover = np.clip((1 - distance) * min(radii) + 0.5, 0, 1)[:, :, None]
    return np.asarray(canvas * (1 - cover) + colour * cover)


def _bump(centre: tuple[int, int], sigma: float) -> NDArray[np.float64]:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.asarray(np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / (2 * sigma**2)))
