"""Memory that has been freed stays with the process.

glibc hands large blocks back to the system and asks for them again; a pass over a batch is made of such blocks,
and a good part of its time on a CPU would be the kernel's, which fills each new page with zeros. All threads take
from one arena, so that what one has freed serves the others.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
LARGEST = 2**31 - 1
PAD = 64 * 2**20


def keep_freed_memory() -> None:
    """Set glibc's allocator so, once a process; elsewhere nothing happens."""
    if sys.platform != "linux":
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:  # other C libraries have none
        for option, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST), (M_TOP_PAD, PAD)):
            set_option(option, value)
