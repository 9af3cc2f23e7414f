"""A slow implementation of an audit of one image, written close to the definitions of the measures."""

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage.measure import shannon_entropy
from skimage.metrics import structural_similarity
from torch import Tensor

from tests.support.jobs import SIZE
from tests.support.models import TinyNet, explain_number

Array = np.ndarray[Any, np.dtype[np.float64]]


DIGESTS = ("a" * 64, "b" * 64, "c" * 64)


class Twin:
    """A slow implementation of the audit of one model."""

    def __init__(self, net: TinyNet) -> None:
        self.net = net

    def see(self, image: Array, target: int | None = None) -> tuple[Array, Array, Array]:
        """Return the native map (h, w), the map resized to the input (SIZE, SIZE), and the probabilities (C,)."""
        return self.see_number(image, lambda logits: logits.max() if target is None else logits[target])

    def see_number(self, image: Array, choose: Callable[[Tensor], Tensor]) -> tuple[Array, Array, Array]:
        """Do as `see`, but explain the value that `choose` computes from the logits (C,)."""
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        inputs = torch.from_numpy((image - mean[:, None, None]) / std[:, None, None]).float()[None]
        logits, raw = explain_number(self.net, self.net.features, inputs, choose, relu_follows=True)
        native = raw.numpy()
        native = (native - native.min()) / (native.max() - native.min())
        resized = np.asarray(Image.fromarray(native).resize((SIZE, SIZE), Image.Resampling.BICUBIC)).clip(0, 1)
        return native, resized, logits.softmax(0).numpy()

    def similarity(self, a: Array, b: Array) -> dict[str, float]:
        window = min(7, min(a.shape) - 1 + min(a.shape) % 2)
        one, other = (set(np.argsort(-each.ravel(), kind="stable")[: round(0.2 * each.size)]) for each in (a, b))
        return {
            "ssim": structural_similarity(a, b, data_range=1, win_size=window),
            "pearson": np.corrcoef(a.ravel(), b.ravel())[0, 1],
            "mse": ((a - b) ** 2).mean(),
            "iou20": len(one & other) / len(one | other),
        }

    def entropy(self, native: Array) -> float:
        return float(shannon_entropy(np.floor(255 * native)) / math.log2(min(native.size, 256)))


def digest_of(name: str, seed: int = 0) -> str:
    """Return the digest by which the seeded order sorts an image's name."""
    return hashlib.sha256(f"order:{seed}:{name}".encode()).hexdigest()


def slow_partners(labels: dict[str, str | None], seed: int = 0) -> dict[str, str | None]:
    """Return each image's partner by name: the image with its label that comes before it in the seeded order."""
    found: dict[str, str | None] = {}
    for name, label in labels.items():
        own = sorted((each for each in labels if labels[each] == label), key=lambda each: digest_of(each, seed))
        found[name] = own[own.index(name) - 1] if own.index(name) else None
    return found
