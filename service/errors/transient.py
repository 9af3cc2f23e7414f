"""Which errors of the operating system may be gone when one tries again: the network's, and a lack of something."""

import errno

TRANSIENT_ERRNOS = frozenset(
    {
        errno.EAGAIN, errno.EBUSY, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTDOWN,
        errno.EHOSTUNREACH, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENETDOWN, errno.ENETRESET, errno.ENETUNREACH,
        errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC, errno.ENOTCONN, errno.EPIPE, errno.ESHUTDOWN,
        errno.ESTALE, errno.ETIMEDOUT,
    }
)  # fmt: skip


class TransientError(ConnectionError):
    """What was asked does not answer now, and may later. Its text is told to users."""


def is_transient(error: BaseException) -> bool:
    """Whether an error may be gone the next time: a file server away, and not a file that is missing or forbidden."""
    return isinstance(error, ConnectionError | TimeoutError) or (
        isinstance(error, OSError) and error.errno in TRANSIENT_ERRNOS
    )
