"""How many pictures to audit at a time: as many as fit, fewer once memory has run out. No number depends on it."""

import os

import torch

MEMORY_SHARE = 0.2  # of the free memory, among the processes of a machine
MAX_IMAGES = {"cpu": 2, "cuda": 32}  # more would leave the caches, or gain nothing
COPIES_PER_IMAGE = 5  # a picture's variants, their maps, and what scoring them takes, in units of the variants


class BatchSize:
    """A number of pictures, by the memory that is free on a device, or as asked for."""

    def __init__(self, device: torch.device, requested: int | None = None, processes: int = 1) -> None:
        self._device, self._most = device, requested or MAX_IMAGES.get(device.type, 8)
        self._asked, self._share = requested is not None, MEMORY_SHARE / processes

    def images(self, passes: int, size: tuple[int, int]) -> int:
        """How many pictures of (height, width) with so many passes each fit; at least one."""
        if self._asked:
            return self._most
        each = passes * COPIES_PER_IMAGE * 3 * size[0] * size[1] * 4
        return max(1, min(self._most, int(self._share * _free(self._device)) // each))

    def halve(self, images: int) -> bool:
        """Take at most half of so many from now on. False: it was one."""
        self._most = min(self._most, max(1, images // 2))
        return images > 1


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that a device's or the host's memory has run out."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
