"""A picture's bytes, by its reference: a file, a place in an archive, or something elsewhere."""

import stat
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from service.errors import InputRefused
from service.locations import is_remote, is_under
from service.redaction import redacted
from service.references import Member, parse
from service.roots import real_path
from service.transient import is_transient
from worker.fetching.places import Places
from worker.images.read import Unreadable
from worker.images.table import read_cell

MOST_BYTES = 512 * 2**20  # of one picture's file


def opener(places: Places) -> Callable[[str], bytes]:
    """How pictures are read from these places: raises Unreadable, or OSError where there may be an answer later."""

    def read(reference: str) -> bytes:
        member = parse(reference)
        try:
            if member is not None:
                return _read_member(places.archive(member.source), member)
            if is_remote(reference):
                return places.read(reference, MOST_BYTES)
            return _read_file(reference, places)
        except (InputRefused, Unreadable) as refused:
            source = reference if member is None else member.source
            raise Unreadable(places.told(str(refused), source)) from refused

    return read


def reason_of(error: Unreadable | OSError) -> str:
    """Why a picture was not read, to be told beside its name."""
    return (error.strerror or redacted(str(error))) if isinstance(error, OSError) else str(error)


def _read_file(path: str, places: Places) -> bytes:
    real = real_path(Path(path))
    if not is_under(real, places.roots):
        raise Unreadable("is a link that leads outside the allowed roots")
    try:
        status = real.stat()
        if not stat.S_ISREG(status.st_mode):  # from a pipe one might read for ever
            raise Unreadable("is no plain file")
        if status.st_size > MOST_BYTES:
            raise Unreadable(f"has more than {MOST_BYTES:,} bytes")
        return real.read_bytes()
    except OSError as error:
        if is_transient(error):
            raise
        raise Unreadable(reason_of(error)) from error


def _read_member(path: Path, member: Member) -> bytes:
    try:
        return READERS[member.kind](path, member)
    except OSError as error:
        if is_transient(error):
            raise
        raise Unreadable(reason_of(error)) from error


def _read_zip(path: Path, member: Member) -> bytes:
    try:
        with _zip(path, path.stat().st_mtime_ns).open(member.inner) as file:
            content = file.read(MOST_BYTES + 1)
    except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Unreadable(f"damaged in its archive: {error}") from error
    if len(content) > MOST_BYTES:
        raise Unreadable(f"has more than {MOST_BYTES:,} bytes")
    return content


@lru_cache(maxsize=4)
def _zip(path: Path, _changed: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _read_tar(path: Path, member: Member) -> bytes:
    offset, size = map(int, member.inner.split("+"))
    if size > MOST_BYTES:
        raise Unreadable(f"has more than {MOST_BYTES:,} bytes")
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _read_parquet(path: Path, member: Member) -> bytes:
    return read_cell(path, member.inner)


READERS: dict[str, Callable[[Path, Member], bytes]] = {
    "zip": _read_zip,
    "tar": _read_tar,
    "parquet": _read_parquet,
}
