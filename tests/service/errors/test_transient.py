import errno
import os

import pytest

from service.errors.transient import is_transient


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.ECONNRESET, errno.ENOSPC])
def test_what_may_pass_is_transient(number: int) -> None:
    assert is_transient(OSError(number, os.strerror(number)))


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOENT, ""), PermissionError(errno.EACCES, ""), IsADirectoryError(), ValueError(), OSError()],
)
def test_what_will_be_the_same_tomorrow_is_not(error: Exception) -> None:
    assert not is_transient(error)
