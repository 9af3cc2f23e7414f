"""Chooses the number of images in a batch, and of image variants in a chunk, which go through a model at once.

A batch has as many images as fit into memory, and fewer after memory ran out. No result depends on its size.

A chunk has variants of one image only, in a fixed order. Kernels may treat positions in a chunk differently, so a
chunk of several images would make the last bits of an image's results depend on the other images.
"""

import os

import torch

from service.spec.model import JobSpec

MEMORY_SHARE = 0.2  # the share of the free memory that the batches of all processes of a machine may use
MAX_IMAGES = {"cpu": 2, "cuda": 32}  # larger batches exceed the CPU caches, or are no faster
COPIES_PER_IMAGE = 5  # memory to make and score an image's maps, in multiples of the memory of its variants
MAX_CHUNK = {"cpu": 16, "cuda": 64}
# The fixed time that a chunk takes, in multiples of the time that one more image variant takes.
OVERHEAD = {"cpu": 1, "cuda": 8}


class BatchSize:
    """Number of images per batch: the requested one, or as many as the free memory of the device holds."""

    def __init__(self, device: torch.device, requested: int | None = None, processes: int = 1) -> None:
        self._device, self._limit = device, requested or MAX_IMAGES.get(device.type, 8)
        self._is_fixed, self._share = requested is not None, MEMORY_SHARE / processes

    def images(self, passes: int, size: tuple[int, int]) -> int:
        """Return how many images of `size` (height, width) fit into a batch if each has `passes` passes; at least 1."""
        if self._is_fixed:
            return self._limit
        bytes_per_image = passes * COPIES_PER_IMAGE * 3 * size[0] * size[1] * 4
        return max(1, min(self._limit, int(self._share * _free(self._device)) // bytes_per_image))

    def halve(self, images: int) -> bool:
        """Limit further batches to half of `images`, at least 1. Returns False if `images` is 1 already."""
        self._limit = min(self._limit, max(1, images // 2))
        return images > 1


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the memory of the device or of the host ran out."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def chunk_size(spec: JobSpec, device: torch.device) -> int:
    """Return the size of chunks that takes the least time for the passes of one run over one image."""

    def cost(size: int) -> int:
        return _chunks(spec, size) * (size + OVERHEAD.get(device.type, 1))

    return min(range(MAX_CHUNK.get(device.type, 16), 0, -1), key=cost)


def _chunks(spec: JobSpec, size: int) -> int:
    first, guided = spec.first_passes(), spec.guided_passes()
    if size <= first:
        return -(-(first + guided) // size)
    return 1 + -(-guided // size)  # guided passes need the clean map, so they come in later chunks


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
