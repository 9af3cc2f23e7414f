"""Images with labels and human maps: in memory for training, and as files for the audit.

Both forms store 8 bits per value, so that models are trained and audited on the same values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from examples.experiment.annotators import human_map
from examples.experiment.faces import make_face
from examples.experiment.worlds import CLASSES, World


@dataclass(frozen=True)
class Dataset:
    """Images (N, 3, SIDE, SIDE) and human maps (N, SIDE, SIDE), both uint8, and class indices (N,)."""

    images: Tensor
    labels: Tensor
    human: Tensor

    def first(self, count: int) -> "Dataset":
        """Return the first `count` images."""
        return Dataset(self.images[:count], self.labels[:count], self.human[:count])


def make_dataset(count: int, seed: int, world: World) -> Dataset:
    """Make `count` images of a world, alternately real and synthetic."""
    random = np.random.default_rng(seed)
    faces = [make_face(number % 2, random, world) for number in range(count)]
    human = _bytes([human_map(face, random) for face in faces])
    labels = torch.tensor([face.label for face in faces])
    return Dataset(_bytes([face.image for face in faces]), labels, human)


def save_dataset(data: Dataset, folder: Path) -> None:
    """Write the images to `pictures/CLASS`, the human maps to `human`, and manifest.csv with both and the labels."""
    lines = ["image,label,human_map"]
    for number, label in enumerate(data.labels.tolist()):
        name, map_name = f"pictures/{CLASSES[label]}/{number:03}.png", f"human/{number:03}.png"
        _save(data.images[number].permute(1, 2, 0), folder / name)
        _save(data.human[number], folder / map_name)
        lines.append(f"{name},{CLASSES[label]},{map_name}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _bytes(values: Sequence[NDArray[np.float32]]) -> Tensor:
    """Convert arrays in [0, 1] into one tensor of bytes."""
    return torch.from_numpy((np.stack(values) * 255).round().astype(np.uint8))


def _save(values: Tensor, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.numpy()).save(path)
