"""Where models and images are. Of files: only under allowed roots, after links are resolved."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from service.errors import InputRefused
from service.inputs.roots import Roots, real_path, walk

OBJECT_STORE_SCHEMES = ("s3://", "gs://")
# What workers fetch; `mlflow-artifacts` is what MLflow calls its own store.
REMOTE_SCHEMES = (*OBJECT_STORE_SCHEMES, "https://", "http://", "models:/", "runs:/", "mlflow-artifacts:/", "artifact:")
KNOWN_SCHEMES = (
    "file:// and an absolute path, artifact:sha256:..., s3://, gs://, https://, or models:/ and runs:/ of MLflow"
)

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_ENTRIES = 10_000  # files and folders of a model's folder


def is_under(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a resolved path lies in one of the roots, and in nothing that is kept from users there."""
    kept = roots.excluded if isinstance(roots, Roots) else ()
    return any(path.is_relative_to(root) for root in roots) and not any(path.is_relative_to(each) for each in kept)


def check_link(folder: Path, path: Path, roots: Sequence[Path], refusal: type[InputRefused] = InputRefused) -> None:
    """Raise a refusal where a path in a folder is that of a link out of the roots."""
    if path.is_symlink() and not is_under(real_path(path), roots):
        name = os.path.relpath(path, folder)
        raise refusal(
            reason=f"{folder} holds {name!r}, a link that leads outside the allowed roots; put there what it leads to"
        )


def is_remote(uri: str) -> bool:
    """Whether a text is the URI of what lies elsewhere, and is fetched by a worker."""
    return uri.startswith(REMOTE_SCHEMES)


def check_remote(uri: str) -> None:
    """Raise InputRefused for the URI of a place elsewhere that names nothing there, or a password before a bucket."""
    _check_characters(uri)
    if not uri.partition(":")[2].strip("/"):
        raise InputRefused(reason=f"{uri!r} names nothing; write {KNOWN_SCHEMES}")
    if uri.startswith(OBJECT_STORE_SCHEMES):
        check_bucket(uri)


def check_bucket(uri: str) -> None:
    """Raise InputRefused for what names no bucket of an object store; and so for one with a password before it."""
    scheme, _, rest = uri.partition("://")
    bucket = rest.partition("/")[0]
    if not bucket or "@" in bucket:  # which a store would tell again, in words of its own
        raise InputRefused(
            reason=f"an address there is {scheme}://BUCKET/PATH, without user and password; the workers' environment "
            "has the credentials"
        )


def path_from_uri(uri: str) -> Path:
    """The path in a file URI, links not followed. Raises InputRefused."""
    _check_characters(uri)
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise InputRefused(reason=f"{uri!r} is not a URI that is read; write {KNOWN_SCHEMES}")
    plain = unquote(parts.path)
    if "\0" in plain:
        raise InputRefused(reason=f"{uri!r} holds a zero byte")
    return Path(plain)


def _check_characters(uri: str) -> None:
    if CONTROL.search(uri):  # a text with a zero byte is kept by Postgres, which then cannot be asked about it
        raise InputRefused(reason=f"{uri!r} holds a control character; write it percent-coded")


def locate(uri: str, roots: Sequence[Path]) -> Path:
    """The existing file or folder that a file URI names. Raises InputRefused, which says what to do."""
    return check_path(path_from_uri(uri), roots)


def check_path(plain: Path, roots: Sequence[Path]) -> Path:
    """Where an existing path leads, which must be under the roots. Raises InputRefused."""
    path = real_path(plain)
    if not is_under(path, roots):
        allowed = ", ".join(map(str, roots)) or "none"
        # As it was written: where a link leads (/proc/self/exe, for one) is for who may look there.
        raise InputRefused(
            reason=f"{plain} is outside the allowed roots ({allowed}), itself or where a link leads; move it there or "
            "add to SALIENCE_ALLOWED_ROOTS"
        )
    if not path.exists():
        raise InputRefused(reason=f"{path} does not exist")
    return path


def check_links(folder: Path, roots: Sequence[Path]) -> None:
    """Raise InputRefused where a model's folder holds a link that leads out of the roots, or more than a model has."""
    entries = 0
    for here, below, files in walk(folder):
        entries += len(below) + len(files)
        if entries > MAX_ENTRIES:
            raise InputRefused(reason=f"{folder} has more than {MAX_ENTRIES:,} files, too many for a model")
        for name in (*below, *files):
            check_link(folder, Path(here, name), roots)
