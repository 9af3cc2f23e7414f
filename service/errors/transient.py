"""Errors that a retry may fix: an unavailable database or store, and errors of the network and the system."""

import errno

from service.errors.base import SalienceError

TRANSIENT_ERRNOS = frozenset(
    {
        errno.EAGAIN, errno.EBUSY, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTDOWN,
        errno.EHOSTUNREACH, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENETDOWN, errno.ENETRESET, errno.ENETUNREACH,
        errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC, errno.ENOTCONN, errno.EPIPE, errno.ESHUTDOWN,
        errno.ESTALE, errno.ETIMEDOUT,
    }
)  # fmt: skip


class DatabaseUnavailable(SalienceError):
    """The database does not answer. Try again later; /readyz shows its state."""

    kind = "database-unavailable"


class DatabaseReadOnly(DatabaseUnavailable):
    """The database is read-only or a standby. Point SALIENCE_DATABASE_URL at the primary."""

    kind = "database-read-only"


class ArtifactStoreUnavailable(SalienceError):
    """The upload could not be stored: {reason}. Free space at SALIENCE_ARTIFACTS, then send it again."""

    kind = "artifacts-unavailable"


class TransientError(ConnectionError):
    """A server does not answer now, but may answer later. Users see the message."""


def is_transient(error: BaseException) -> bool:
    """Return whether a retry may fix the error: an unreachable file server, but not a missing or forbidden file."""
    return isinstance(error, ConnectionError | TimeoutError) or (
        isinstance(error, OSError) and error.errno in TRANSIENT_ERRNOS
    )
