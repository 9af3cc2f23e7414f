"""Where models and images are: file:// URIs under allowed roots, after links are resolved."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from service.errors import InputRefused


def is_under(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a resolved path lies in one of the roots."""
    return any(path.is_relative_to(root) for root in roots)


def real_path(path: Path) -> Path:
    """Where a path leads, links followed; a loop of links leads to itself, where nothing exists."""
    return Path(os.path.realpath(path))


def locate(uri: str, roots: Sequence[Path]) -> Path:
    """The existing file or folder that a URI names. Raises InputRefused, which says what to do."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise InputRefused(reason=f"{uri!r} is not a file URI; write file:// and an absolute path")
    plain = unquote(parts.path)
    if "\0" in plain:
        raise InputRefused(reason=f"{uri!r} holds a zero byte")
    path = real_path(Path(plain))
    if not is_under(path, roots):
        allowed = ", ".join(map(str, roots)) or "none"
        raise InputRefused(
            reason=f"{path} is outside the allowed roots ({allowed}); move it there or add to SALIENCE_ALLOWED_ROOTS"
        )
    if not path.exists():
        raise InputRefused(reason=f"{path} does not exist")
    return path
