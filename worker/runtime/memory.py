"""A bound on a process's own memory: what is beyond it fails, which halves a batch, instead of killing the process."""

import resource


def limit_memory(max_bytes: int | None) -> None:
    """Let this process have at most so many bytes of data; None: as many as there are.

    Data and not address space, of which a GPU's driver reserves more than there is memory.
    """
    if max_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (max_bytes, resource.getrlimit(resource.RLIMIT_DATA)[1]))
