import resource

import torch

from worker.runtime.allocator import keep_freed_memory


def faults_of(times: int) -> int:
    """Pages that the kernel had to give while a block of 8 MB was taken and freed so often."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(2 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_blocks_that_were_freed_are_used_again() -> None:
    keep_freed_memory()
    faults_of(2)
    pages = 2 * 2**20 * 4 // 4096
    assert faults_of(20) < 20 * pages / 2
