"""Random numbers that depend on an image's bytes and the job's seed, and not on its position in a batch.

Pure.
"""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

Size = tuple[int, int]


def generator_for(stream: str, seed: int, digest: str) -> np.random.Generator:
    """Return the generator of one image's random numbers in one stream. `digest` is the SHA-256 of its file in hex."""
    key = hashlib.sha256(f"{stream}:{seed}:{digest}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def field(stream: str, seed: int, digest: str, size: Size) -> Tensor:
    """Return an image's random field in one of STREAMS, for images of (height, width)."""
    return torch.from_numpy(STREAMS[stream](generator_for(stream, seed, digest), size))


def _salt_pepper(draws: np.random.Generator, size: Size) -> np.ndarray:
    """Draw two uniform fields u and v in [0, 1), (2, 3, H, W)."""
    return np.stack([draws.random((3, *size), dtype=np.float32) for _ in range(2)])


def _gaussian(draws: np.random.Generator, size: Size) -> np.ndarray:
    """Draw a standard normal field, (3, H, W)."""
    return draws.standard_normal((3, *size), dtype=np.float32)


def _ties(draws: np.random.Generator, size: Size) -> np.ndarray:
    """Draw a permutation of the pixels, (H * W,)."""
    return draws.permutation(size[0] * size[1])


STREAMS: Mapping[str, Callable[[np.random.Generator, Size], np.ndarray]] = {
    "salt_pepper": _salt_pepper,
    "gaussian": _gaussian,
    "ties": _ties,
}
