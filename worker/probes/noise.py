"""Salt and pepper: pictures with a growing share of values replaced by black or white.

Pure. The random fields belong to an image's bytes and the job's seed, not to its place in a batch.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def generator_for(stream: str, seed: int, digest: str) -> np.random.Generator:
    """The random numbers of one image in one stream; `digest` is the SHA-256 of its file, in hex."""
    key = hashlib.sha256(f"{stream}:{seed}:{digest}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def salt_pepper_fields(seed: int, digest: str, size: tuple[int, int]) -> Tensor:
    """The two uniform fields u and v of an image: (2, 3, H, W) in [0, 1)."""
    generator = generator_for("salt_pepper", seed, digest)
    fields = [generator.random((3, *size), dtype=np.float32) for _ in range(2)]
    return torch.from_numpy(np.stack(fields))


def salt_pepper(images: Tensor, fields: Tensor, amounts: Sequence[float]) -> Tensor:
    """Pictures (N, 3, H, W) and fields (N, 2, 3, H, W) -> (A, N, 3, H, W), one set an amount.

    Each value with u < amount becomes 1 where v < 0.5 and 0 elsewhere.
    """
    u, v = fields[:, 0], fields[:, 1]
    grains = (v < 0.5).to(images.dtype)
    return torch.stack([torch.where(u < amount, grains, images) for amount in amounts])
