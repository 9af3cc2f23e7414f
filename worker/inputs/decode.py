"""Decodes an image file to RGB in [0, 1] at the model's input size, and computes its digest.

An image is turned as its EXIF orientation says. Pillow resizes 8 bit values, as torchvision's transforms do in
training.
"""

import hashlib
import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from service.spec.cohort import Preprocessing

MAX_PIXELS = 50_000_000  # an image resized by its shorter side may have this many pixels before it is cropped
# Pillow would start other programs for some other formats, such as PostScript.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class DecodedImage:
    """An image: the SHA-256 of its file in hex, and its values (3, H, W) as float32 in [0, 1]."""

    digest: str
    values: Tensor


class UnreadableImage(Exception):  # the job skips the image and does not fail, so this is no AuditError
    """An image cannot be read; the message says why."""


def read_image(content: bytes, preprocessing: Preprocessing) -> DecodedImage:
    """Decode and digest a file's bytes. Raises UnreadableImage."""
    return DecodedImage(hashlib.sha256(content).hexdigest(), decode(content, preprocessing))


def decode(content: bytes, preprocessing: Preprocessing) -> Tensor:
    """Decode a file's bytes to (3, H, W) float32 in [0, 1]. Raises UnreadableImage."""
    try:
        with warnings.catch_warnings():
            # Pillow warns about odd files that it can decode; for other files it raises errors.
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(content), formats=FORMATS) as opened:
                _check_header(opened)
                image = _to_rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError:
        raise UnreadableImage("not an image in a known format") from None
    except Image.DecompressionBombError as error:
        raise UnreadableImage(f"too large: {error}") from error
    except (MemoryError, UnreadableImage):
        raise
    except Exception as error:  # decoders raise many classes of errors
        raise UnreadableImage(f"damaged image: {error}") from error
    values = np.asarray(_resize(image, preprocessing), dtype=np.float32) / np.float32(255)
    # numpy, not torch: in the thread that reads ahead, torch would start a second pool of threads, which would compete.
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _check_header(opened: Image.Image) -> None:
    """Raise UnreadableImage, before any pixel is decoded, if a file has several images."""
    # Phones store a preview after the image (MPO), which does not count as a second image.
    frames = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)
    if frames > 1:
        raise UnreadableImage(f"has {frames} frames; save one of them as an image")


def _to_rgb(opened: Image.Image) -> Image.Image:
    """Convert to 8 bit RGB. Grey of 16 bits is scaled to 8 bits; Pillow would clip it to 255."""
    if opened.mode.startswith("I;16") or (opened.mode == "I" and opened.format == "PNG"):
        wide = np.asarray(opened).astype(np.int64)
        return Image.fromarray(np.clip((wide + 128) // 257, 0, 255).astype(np.uint8)).convert("RGB")
    if opened.mode in ("I", "F"):
        raise UnreadableImage(f"pixels of {opened.mode} have no known range; save it with 8 or 16 bits per channel")
    return opened.convert("RGB")


def _resize(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    height, width = preprocessing.size
    how = RESAMPLING[preprocessing.interpolation]
    if isinstance(preprocessing.resize, str):
        return image.resize((width, height), how)
    scale = preprocessing.resize.shorter / min(image.size)
    wide, high = (max(1, round(side * scale)) for side in image.size)
    left, top = round((wide - width) / 2), round((high - height) / 2)
    if wide * high > MAX_PIXELS:
        raise UnreadableImage(f"too long: {image.width} x {image.height} pixels would be resized to {wide} x {high}")
    return image.resize((wide, high), how).crop((left, top, left + width, top + height))
