"""Encodes an image and its maps for storage: maps as numbers, a sheet of heat maps, and the image itself."""

import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from service.domain.maps import MAX_STORED_SIDE, MapRequest, StoredImage, StoredMaps, pack_image
from service.domain.variants import image_cohort
from service.spec.model import JobSpec
from worker.salience.maps import resize_maps

CELL_SIDE = 32  # length in pixels of the longer side of a heat map in a sheet
THUMBNAIL_SIDE = 128  # length in pixels of the longer side of a thumbnail
IMAGE_QUALITY, SHEET_QUALITY = 72, 82

Natives = Mapping[str, Sequence[Tensor]]  # for each variant, the native map (h, w) of each run


def encode_maps(request: MapRequest, natives: Natives) -> list[StoredMaps]:
    """Encode the maps of an image as compressed float16. Permanent requests omit maps larger than MAX_STORED_SIDE."""
    found = []
    for variant, runs in natives.items():
        stacked = torch.stack(list(runs))
        if max(stacked.shape[1:]) <= MAX_STORED_SIDE or not request.is_permanent:
            packed = zlib.compress(stacked.cpu().numpy().astype("<f2").tobytes())
            found.append(StoredMaps(request.cohort, request.image, variant, packed))
    return found


def encode_image(request: MapRequest, spec: JobSpec, values: Tensor, natives: Natives) -> StoredImage:
    """Encode an image (3, H, W) in [0, 1] and its sheet: one column per variant, one row for the mean and for each run.

    A request that is not permanent stores the image without a sheet.
    """
    owner = image_cohort(spec, request.cohort)
    if not request.is_permanent:
        return StoredImage(owner, request.image, None, to_palette_image(values), None)
    columns = torch.stack([torch.stack(list(runs)) for runs in natives.values()], dim=1).cpu()
    sheet = _sheet(torch.cat([columns.mean(0, keepdim=True), columns]), (values.shape[1], values.shape[2]))
    if owner != request.cohort:
        return StoredImage(request.cohort, request.image, sheet, None, None)
    return StoredImage(request.cohort, request.image, sheet, to_palette_image(values), _thumbnail(values))


def to_palette_image(values: Tensor) -> bytes:
    """Encode an image (3, H, W) in [0, 1] with a palette of at most 256 colours."""
    return pack_image(_as_image(values).quantize(256))


def _thumbnail(values: Tensor) -> bytes:
    image = _as_image(values)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return _webp(image, IMAGE_QUALITY)


def _sheet(grid: Tensor, size: tuple[int, int]) -> bytes:
    """Draw native maps (rows, columns, h, w) as grey cells with the aspect ratio of the image of `size` (H, W)."""
    scale = CELL_SIDE / max(size)
    height, width = (max(1, round(side * scale)) for side in size)
    rows, columns = grid.shape[:2]
    cells = resize_maps(grid.flatten(0, 1), (height, width)).view(rows, columns, height, width)
    flat = cells.permute(0, 2, 1, 3).reshape(rows * height, columns * width)
    levels = (255 * flat).round().to(torch.uint8).numpy()
    return _webp(Image.fromarray(levels), SHEET_QUALITY)


def _as_image(values: Tensor) -> Image.Image:
    pixels: NDArray[np.uint8] = (255 * values).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(pixels))


def _webp(image: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()
