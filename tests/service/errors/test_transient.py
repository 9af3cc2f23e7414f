import errno
import os

import pytest

from service.errors.transient import is_transient


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.ECONNRESET, errno.ENOSPC])
def test_errors_that_say_that_a_server_is_unavailable_are_transient(number: int) -> None:
    assert is_transient(OSError(number, os.strerror(number)))


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOENT, ""), PermissionError(errno.EACCES, ""), IsADirectoryError(), ValueError(), OSError()],
)
def test_errors_that_a_retry_does_not_fix_are_not_transient(error: Exception) -> None:
    assert not is_transient(error)
