"""Reading a picture file: its digest, and RGB in [0, 1] at the model's input size.

Resizing is Pillow's, on 8 bit values, as torchvision's transforms do before a model is trained.
"""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from service.spec import Preprocessing

RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class Picture:
    """One picture: the SHA-256 of its file in hex, and its values (3, H, W) float32 in [0, 1]."""

    digest: str
    values: Tensor


class Unreadable(Exception):  # it describes the file, which is skipped, not failed
    """A picture that cannot be read; the message is why."""


def read_picture(path: Path, preprocessing: Preprocessing) -> Picture:
    """Read and resize one picture. Raises Unreadable."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    return Picture(hashlib.sha256(content).hexdigest(), decode(content, preprocessing))


def decode(content: bytes, preprocessing: Preprocessing) -> Tensor:
    """The picture in a file's bytes as (3, H, W) float32 in [0, 1]. Raises Unreadable."""
    try:
        with Image.open(BytesIO(content)) as opened:
            picture = opened.convert("RGB")
    except UnidentifiedImageError:
        raise Unreadable("not a picture in a known format") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise Unreadable(f"damaged picture: {error}") from error
    values = np.asarray(_resize(picture, preprocessing), dtype=np.float32) / np.float32(255)
    return torch.from_numpy(values).permute(2, 0, 1).contiguous()


def _resize(picture: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    height, width = preprocessing.size
    how = RESAMPLING[preprocessing.interpolation]
    if isinstance(preprocessing.resize, str):
        return picture.resize((width, height), how)
    scale = preprocessing.resize.shorter / min(picture.size)
    wide, high = (max(1, round(side * scale)) for side in picture.size)
    left, top = round((wide - width) / 2), round((high - height) / 2)
    return picture.resize((wide, high), how).crop((left, top, left + width, top + height))
