"""Simulated annotators who mark where they would look, and who disagree.

Each annotator marks the place of a forgery, with an offset and a size of their own. Sometimes an annotator overlooks
the forgery and marks another place where faces can be forged. On a real face, every annotator marks such a place.
"""

import numpy as np
from numpy.typing import NDArray

from examples.experiment.canvas import Array, Canvas
from examples.experiment.faces import PLACES, Face
from examples.experiment.worlds import FORGERIES

ANNOTATORS = 5
OVERLOOKED = 0.2  # probability that an annotator overlooks the forgeries
OFFSET_SD = 1.5  # standard deviation of the offset of a mark from the marked feature, in pixels of a face of scale 1
SIZES = (2.5, 5.0)  # range of the sizes of marks, which are Gaussians: their standard deviation in pixels


def human_map(face: Face, random: np.random.Generator) -> NDArray[np.float32]:
    """Return the mean of the annotators' marks, scaled to a maximum of 1, of shape (SIDE, SIDE)."""
    canvas = Canvas(np.zeros((1, 1, 3)), face.pose)
    total = sum((_mark(face, canvas, random) for _ in range(ANNOTATORS)), np.zeros_like(canvas.down))
    return np.asarray(total / total.max(), dtype=np.float32)


def _mark(face: Face, canvas: Canvas, random: np.random.Generator) -> Array:
    found = face.forged if random.random() >= OVERLOOKED else []
    feature = str(random.choice(found or FORGERIES))
    size = random.uniform(*SIZES)
    bumps = [
        canvas.bump((down + random.normal(0, OFFSET_SD), right + random.normal(0, OFFSET_SD)), size)
        for down, right in PLACES[feature]
    ]
    return np.asarray(np.maximum.reduce(bumps))
