"""Unpacks archives of models, and decompresses tar files: only regular files and folders, within limits of size."""

import gzip
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path

from service.errors import InputRefused
from service.errors.transient import is_transient
from service.inputs.archives import (
    check_compression,
    check_extracted_size,
    check_member,
    check_tar_member,
    max_extracted_bytes,
)

PART = 2**20
MAX_FILES = 10_000  # a packed model may have at most this many files


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zip or tar file into a folder, without the top folder that may enclose all files."""
    try:
        if zipfile.is_zipfile(path):
            _unpack_zip(path, folder)
        else:
            _unpack_tar(path, folder)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputRefused(reason=f"{path} is a damaged archive: {error}") from error
    # For example, the archive has a password, or a name is too long.
    except (RuntimeError, OSError) as error:
        if is_transient(error):
            raise
        raise InputRefused(reason=f"{path} cannot be unpacked: {error}") from error
    _flatten_single_folder(folder)


def inflate(path: Path, folder: Path) -> None:
    """Decompress a gzipped tar file into a folder."""
    max_bytes = max_extracted_bytes(path.stat().st_size)
    try:
        with gzip.open(path) as source, (folder / "inflated.tar").open("wb") as out:
            _copy(path, source, out, max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputRefused(reason=f"{path} is a damaged archive: {error}") from error


def _unpack_zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_compression(path, members)
        _check_count(path, len(members))
        for member in members:
            check_member(path, member.filename)
        for member in members:
            if not member.is_dir():
                target = folder / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as out:
                    _copy(path, source, out, member.file_size)


def _unpack_tar(path: Path, folder: Path) -> None:
    max_bytes = max_extracted_bytes(path.stat().st_size)
    with tarfile.open(path) as archive:
        for number, member in enumerate(archive, start=1):
            _check_count(path, number)
            check_tar_member(path, member)
            max_bytes -= member.size
            if max_bytes < 0:
                check_extracted_size(path, max_extracted_bytes(path.stat().st_size) - max_bytes)
            source = archive.extractfile(member)
            if source is not None:
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as out:
                    _copy(path, source, out, member.size)


def _check_count(path: Path, members: int) -> None:
    if members > MAX_FILES:
        raise InputRefused(reason=f"{path} has more than {MAX_FILES:,} members; pack only the model's own files")


def _copy(path: Path, source: object, out: object, max_bytes: int) -> None:
    """Copy at most `max_bytes` bytes. Raises InputRefused if there are more: the archive declares a false size."""
    written = 0
    while part := source.read(PART):  # type: ignore[attr-defined]  # a binary file of the archive's reader
        written += len(part)
        if written > max_bytes:
            check_extracted_size(path, max(written, max_extracted_bytes(path.stat().st_size) + 1))
        out.write(part)  # type: ignore[attr-defined]  # a file


def _flatten_single_folder(folder: Path) -> None:
    inside = list(folder.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        for each in list(inside[0].iterdir()):
            shutil.move(each, folder / f"{each.name}")
        inside[0].rmdir()
