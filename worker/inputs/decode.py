"""Reading an image file: its digest, and RGB in [0, 1] at the model's input size.

An image is turned as its EXIF says, as viewers show it. Resizing is Pillow's, on 8 bit values, as torchvision's
transforms do before a model is trained.
"""

import hashlib
import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from service.spec.model import Preprocessing

MAX_PIXELS = 50_000_000  # of an image resized by its shorter side, before the crop
# Others, as PostScript, would be handed to other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class DecodedImage:
    """One image: the SHA-256 of its file in hex, and its values (3, H, W) float32 in [0, 1]."""

    digest: str
    values: Tensor


class UnreadableImage(Exception):  # it describes the file, which is skipped, not failed
    """An image that cannot be read; the message is why."""


def read_image(content: bytes, preprocessing: Preprocessing) -> DecodedImage:
    """The image in a file's bytes, resized. Raises UnreadableImage."""
    return DecodedImage(hashlib.sha256(content).hexdigest(), decode(content, preprocessing))


def decode(content: bytes, preprocessing: Preprocessing) -> Tensor:
    """The image in a file's bytes as (3, H, W) float32 in [0, 1]. Raises UnreadableImage."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd can be read; what is larger still, or damaged, is an error
            with Image.open(BytesIO(content), formats=FORMATS) as opened:
                _check_header(opened)
                image = _to_rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError:
        raise UnreadableImage("not an image in a known format") from None
    except Image.DecompressionBombError as error:
        raise UnreadableImage(f"too large: {error}") from error
    except (MemoryError, UnreadableImage):
        raise
    except Exception as error:  # whatever a decoder makes of damage
        raise UnreadableImage(f"damaged image: {error}") from error
    values = np.asarray(_resize(image, preprocessing), dtype=np.float32) / np.float32(255)
    # Not by torch: in the thread that reads ahead it would start threads of its own, and all would wait for each other.
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _check_header(opened: Image.Image) -> None:
    """Raise UnreadableImage where it is not clear which image is meant; before any pixel is decoded."""
    # Phones put a preview after the image, which is no other image.
    frames = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)
    if frames > 1:
        raise UnreadableImage(f"has {frames} frames, of which none is told to be the image; save one")


def _to_rgb(opened: Image.Image) -> Image.Image:
    """8 bit RGB. Pillow would clip 16 bit grey to 255."""
    if opened.mode.startswith("I;16") or (opened.mode == "I" and opened.format == "PNG"):
        wide = np.asarray(opened).astype(np.int64)
        return Image.fromarray(np.clip((wide + 128) // 257, 0, 255).astype(np.uint8)).convert("RGB")
    if opened.mode in ("I", "F"):
        raise UnreadableImage(f"pixels of {opened.mode} have no known range; save it with 8 or 16 bits a channel")
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
        raise UnreadableImage(f"too long: {image.width} x {image.height} would become {wide} x {high}")
    return image.resize((wide, high), how).crop((left, top, left + width, top + height))
