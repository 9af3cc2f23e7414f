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
from service.transient import is_transient

MOST_PIXELS = 50_000_000  # of a picture resized by its shorter side, before the crop
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
    """Read and resize one picture. Raises Unreadable, and OSError where its file may be readable later."""
    try:
        content = path.read_bytes()
    except OSError as error:
        if is_transient(error):
            raise
        raise Unreadable(error.strerror or str(error)) from error
    return Picture(hashlib.sha256(content).hexdigest(), decode(content, preprocessing))


def read_map(path: Path, preprocessing: Preprocessing) -> Tensor:
    """A grey picture of where people look, (H, W) in [0, 1], cut as the picture it belongs to. Raises Unreadable."""
    try:
        return read_picture(path, preprocessing).values[0]
    except Unreadable as error:
        raise Unreadable(f"its human map {path}: {error}") from error


def decode(content: bytes, preprocessing: Preprocessing) -> Tensor:
    """The picture in a file's bytes as (3, H, W) float32 in [0, 1]. Raises Unreadable."""
    try:
        with Image.open(BytesIO(content)) as opened:
            picture = _to_rgb(opened)
    except UnidentifiedImageError:
        raise Unreadable("not a picture in a known format") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise Unreadable(f"damaged picture: {error}") from error
    values = np.asarray(_resize(picture, preprocessing), dtype=np.float32) / np.float32(255)
    # Not by torch: in the thread that reads ahead it would start threads of its own, and all would wait for each other.
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _to_rgb(opened: Image.Image) -> Image.Image:
    """8 bit RGB. Pillow would clip 16 bit grey to 255."""
    if opened.mode.startswith("I;16") or (opened.mode == "I" and opened.format == "PNG"):
        wide = np.asarray(opened).astype(np.int64)
        return Image.fromarray(np.clip((wide + 128) // 257, 0, 255).astype(np.uint8)).convert("RGB")
    if opened.mode in ("I", "F"):
        raise Unreadable(f"pixels of {opened.mode} have no known range; save it with 8 or 16 bits a channel")
    return opened.convert("RGB")


def _resize(picture: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    height, width = preprocessing.size
    how = RESAMPLING[preprocessing.interpolation]
    if isinstance(preprocessing.resize, str):
        return picture.resize((width, height), how)
    scale = preprocessing.resize.shorter / min(picture.size)
    wide, high = (max(1, round(side * scale)) for side in picture.size)
    left, top = round((wide - width) / 2), round((high - height) / 2)
    if wide * high > MOST_PIXELS:
        raise Unreadable(f"too long: {picture.width} x {picture.height} would become {wide} x {high}")
    return picture.resize((wide, high), how).crop((left, top, left + width, top + height))
