"""Memory of a process: a limit, and an allocator that keeps freed memory."""

import ctypes
import resource
import sys

# Options of glibc's mallopt.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
MAX_INT = 2**31 - 1
PAD_BYTES = 64 * 2**20


def limit_memory(max_bytes: int | None) -> None:
    """Limit the data of this process to `max_bytes`; None sets no limit.

    An allocation beyond the limit fails, which halves the batch, instead of killing the process. The limit does not
    apply to address space, since a GPU driver reserves more of it than the machine has memory.
    """
    if max_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (max_bytes, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for reuse, in one arena for all threads. Other C libraries stay as they are.

    By default glibc returns large blocks to the system. A pass over a batch allocates such blocks again and again, and
    on a CPU the kernel would spend a large part of its time zeroing their pages.
    """
    if sys.platform != "linux":
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:  # only glibc has mallopt
        for option, value in (
            (M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, MAX_INT), (M_TOP_PAD, PAD_BYTES),
        ):  # fmt: skip
            set_option(option, value)
