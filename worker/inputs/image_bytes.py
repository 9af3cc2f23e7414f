"""Reads an image's bytes by its reference: a file, a member of an archive, or a remote URI."""

import stat
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from service.errors import InputRefused
from service.errors.transient import is_transient
from service.inputs.references import ArchiveMember, parse_reference
from service.inputs.roots import real_path
from service.inputs.uris import is_remote, is_under
from service.telemetry.redaction import redact
from worker.inputs.decode import UnreadableImage
from worker.inputs.parquet import read_cell
from worker.inputs.resolver import InputResolver

MAX_IMAGE_BYTES = 512 * 2**20  # largest size of an image file in bytes


def image_opener(resolver: InputResolver) -> Callable[[str], bytes]:
    """Return a function that reads an image by its reference.

    It raises UnreadableImage, or OSError for a transient error.
    """

    def read(reference: str) -> bytes:
        member = parse_reference(reference)
        try:
            if member is not None:
                return _read_member(resolver.archive(member.source), member)
            if is_remote(reference):
                return resolver.read(reference, MAX_IMAGE_BYTES)
            return _read_file(reference, resolver)
        except (InputRefused, UnreadableImage) as refused:
            source = reference if member is None else member.source
            raise UnreadableImage(resolver.user_text(str(refused), source)) from refused

    return read


def skip_reason(error: UnreadableImage | OSError) -> str:
    """Return the reason that the results give for a skipped image."""
    return (error.strerror or redact(str(error))) if isinstance(error, OSError) else str(error)


def _read_file(path: str, resolver: InputResolver) -> bytes:
    real = real_path(Path(path))
    if not is_under(real, resolver.roots):
        raise UnreadableImage("is a link that leads outside the allowed roots")
    try:
        status = real.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe may never end
            raise UnreadableImage("is not a regular file")
        if status.st_size > MAX_IMAGE_BYTES:
            raise UnreadableImage(f"has more than {MAX_IMAGE_BYTES:,} bytes")
        return real.read_bytes()
    except OSError as error:
        if is_transient(error):
            raise
        raise UnreadableImage(skip_reason(error)) from error


def _read_member(path: Path, member: ArchiveMember) -> bytes:
    try:
        return READERS[member.kind](path, member)
    except OSError as error:
        if is_transient(error):
            raise
        raise UnreadableImage(skip_reason(error)) from error


def _read_zip(path: Path, member: ArchiveMember) -> bytes:
    try:
        with _zip(path, path.stat().st_mtime_ns).open(member.inner) as file:
            content = file.read(MAX_IMAGE_BYTES + 1)
    except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnreadableImage(f"cannot be read from its archive, which is damaged: {error}") from error
    if len(content) > MAX_IMAGE_BYTES:
        raise UnreadableImage(f"has more than {MAX_IMAGE_BYTES:,} bytes")
    return content


@lru_cache(maxsize=4)
def _zip(path: Path, _changed: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _read_tar(path: Path, member: ArchiveMember) -> bytes:
    offset, size = map(int, member.inner.split("+"))
    if size > MAX_IMAGE_BYTES:
        raise UnreadableImage(f"has more than {MAX_IMAGE_BYTES:,} bytes")
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _read_parquet(path: Path, member: ArchiveMember) -> bytes:
    return read_cell(path, member.inner)


READERS: dict[str, Callable[[Path, ArchiveMember], bytes]] = {
    "zip": _read_zip,
    "tar": _read_tar,
    "parquet": _read_parquet,
}
