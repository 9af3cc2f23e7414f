"""How many pictures go through a model at once.

All passes of one image stand in its own chunks, in one order, so that its numbers are the same bits in any
company: kernels may treat places in a batch differently. The size is what wastes least.
"""

import torch

from service.spec.model import JobSpec

MAX_CHUNK = {"cpu": 16, "cuda": 64}
# What a chunk costs beside its pictures, in pictures.
OVERHEAD = {"cpu": 1, "cuda": 8}


def chunk_size(spec: JobSpec, device: torch.device) -> int:
    """Pictures a chunk for the passes that one run needs for one image of this spec."""

    def cost(size: int) -> int:
        return _chunks(spec, size) * (size + OVERHEAD.get(device.type, 1))

    return min(range(MAX_CHUNK.get(device.type, 16), 0, -1), key=cost)


def _chunks(spec: JobSpec, size: int) -> int:
    first, guided = spec.first_passes(), spec.guided_passes()
    if size <= first:
        return -(-(first + guided) // size)
    return 1 + -(-guided // size)  # what the clean map guides must wait for it
