"""Simulated people who mark where they would look, and do not agree.

Each marks the place of a forgery, somewhat beside it and larger or smaller than the next one; now and then one
overlooks them and marks another place where forgeries occur, and so does everybody on a real face, which has none.
"""

import numpy as np
from numpy.typing import NDArray

from examples.experiment.canvas import Array, Canvas
from examples.experiment.faces import PLACES, Face
from examples.experiment.worlds import FORGERIES

ANNOTATORS = 5
OVERLOOKED = 0.2
ASIDE = 1.5  # standard deviation of how far beside the place a mark lies, in pixels of the usual face
SIZES = (2.5, 5.0)  # of a mark, as the standard deviation of its hill


def human_map(face: Face, random: np.random.Generator) -> NDArray[np.float32]:
    """Where people look on a face: the mean of the annotators' marks, its highest place 1. (SIDE, SIDE)."""
    canvas = Canvas(np.zeros((1, 1, 3)), face.pose)
    total = sum((_mark(face, canvas, random) for _ in range(ANNOTATORS)), np.zeros_like(canvas.down))
    return np.asarray(total / total.max(), dtype=np.float32)


def _mark(face: Face, canvas: Canvas, random: np.random.Generator) -> Array:
    seen = face.forged if random.random() >= OVERLOOKED else []
    feature = str(random.choice(seen or FORGERIES))
    size = random.uniform(*SIZES)
    hills = [
        canvas.bump((down + random.normal(0, ASIDE), right + random.normal(0, ASIDE)), size)
        for down, right in PLACES[feature]
    ]
    return np.asarray(np.maximum.reduce(hills))
