"""Checks URIs and paths of models and images. Files must lie under the allowed roots after links are resolved."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from service.errors import InputRefused
from service.inputs.roots import Roots, real_path, walk

OBJECT_STORE_SCHEMES = ("s3://", "gs://")
# The schemes that workers fetch. `mlflow-artifacts` is MLflow's name for its own artifact store.
REMOTE_SCHEMES = (*OBJECT_STORE_SCHEMES, "https://", "http://", "models:/", "runs:/", "mlflow-artifacts:/", "artifact:")
KNOWN_SCHEMES = (
    "file:// and an absolute path, artifact:sha256:..., s3://, gs://, https://, or models:/ and runs:/ of MLflow"
)

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_ENTRIES = 10_000  # largest number of files and folders in a model's folder


def is_under(path: Path, roots: Sequence[Path]) -> bool:
    """Return whether a resolved path lies in one of the roots and in no excluded folder."""
    excluded = roots.excluded if isinstance(roots, Roots) else ()
    return any(path.is_relative_to(root) for root in roots) and not any(path.is_relative_to(each) for each in excluded)


def check_link(folder: Path, path: Path, roots: Sequence[Path], refusal: type[InputRefused] = InputRefused) -> None:
    """Raise `refusal` if a path in a folder is a link that leads out of the roots."""
    if path.is_symlink() and not is_under(real_path(path), roots):
        name = os.path.relpath(path, folder)
        raise refusal(
            reason=f"{folder} contains {name!r}, a link that leads outside the allowed roots; replace it by a copy"
        )


def is_remote(uri: str) -> bool:
    """Return whether a text is the URI of a remote input, which workers fetch."""
    return uri.startswith(REMOTE_SCHEMES)


def check_remote(uri: str) -> None:
    """Raise InputRefused for a remote URI without a path, or with a password before the bucket."""
    _check_characters(uri)
    if not uri.partition(":")[2].strip("/"):
        raise InputRefused(reason=f"{uri!r} has no path; write {KNOWN_SCHEMES}")
    if uri.startswith(OBJECT_STORE_SCHEMES):
        check_bucket(uri)


def check_bucket(uri: str) -> None:
    """Raise InputRefused for the URI of an object store without a bucket, or with a password before it."""
    scheme, _, rest = uri.partition("://")
    bucket = rest.partition("/")[0]
    if not bucket or "@" in bucket:  # the store's own error would repeat the password
        raise InputRefused(
            reason=f"write {scheme}://BUCKET/PATH without user and password; set the credentials in the workers' "
            "environment"
        )


def path_from_uri(uri: str) -> Path:
    """Return the path in a file URI without resolving links. Raises InputRefused."""
    _check_characters(uri)
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise InputRefused(reason=f"{uri!r} has an unknown scheme; write {KNOWN_SCHEMES}")
    plain = unquote(parts.path)
    if "\0" in plain:
        raise InputRefused(reason=f"{uri!r} contains a zero byte")
    return Path(plain)


def _check_characters(uri: str) -> None:
    if CONTROL.search(uri):  # Postgres refuses text with a zero byte
        raise InputRefused(reason=f"{uri!r} contains a control character; percent-encode it")


def locate(uri: str, roots: Sequence[Path]) -> Path:
    """Return the existing file or folder that a file URI names. Raises InputRefused."""
    return check_path(path_from_uri(uri), roots)


def check_path(plain: Path, roots: Sequence[Path]) -> Path:
    """Resolve an existing path, which must be under the roots. Raises InputRefused."""
    path = real_path(plain)
    if not is_under(path, roots):
        allowed = ", ".join(map(str, roots)) or "none"
        # The message names the path as written: the target of a link (such as /proc/self/exe) is not public.
        raise InputRefused(
            reason=f"{plain} is, or links to a path, outside the allowed roots ({allowed}); move it there or add its "
            "folder to SALIENCE_ALLOWED_ROOTS"
        )
    if not path.exists():
        raise InputRefused(reason=f"{path} does not exist")
    return path


def check_links(folder: Path, roots: Sequence[Path]) -> None:
    """Raise InputRefused if a model's folder contains a link out of the roots, or too many files."""
    entries = 0
    for here, below, files in walk(folder):
        entries += len(below) + len(files)
        if entries > MAX_ENTRIES:
            raise InputRefused(
                reason=f"{folder} has more than {MAX_ENTRIES:,} files; give a folder with the model's own files only"
            )
        for name in (*below, *files):
            check_link(folder, Path(here, name), roots)
