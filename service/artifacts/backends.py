"""Where the bytes of artifacts are stored: a folder that the API and the workers share, or an object store."""

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

UPLOAD_PREFIX = "upload-"  # prefix of the names of folders that hold unfinished uploads
STALLED_SECONDS = 86400.0  # the age after which an unfinished upload counts as interrupted


class Backend(Protocol):
    """Stores files under their SHA-256 digest."""

    def find(self, digest: str) -> Path | str | None:
        """Return the path or the URI of a file, and None if it is known to be missing."""

    def size(self, digest: str) -> int | None:
        """Return the size of a file in bytes, and None if there is no such file."""

    def put(self, received: Path, digest: str) -> None:
        """Store a received file."""

    def delete(self, digest: str) -> None:
        """Delete a file, if there is one."""

    def pattern(self) -> str:
        """Return a regular expression for the location of a file, whose one group is the digest."""

    def upload_folder(self) -> Path | None:
        """Return the folder for unfinished uploads, and None for the system's temporary folder."""

    def delete_stalled_uploads(self) -> None:
        """Delete the unfinished files of interrupted uploads."""


def open_backend(location: str) -> Backend:
    """Return the backend for a location: the path of a folder, or the URI of an object store."""
    return ObjectStore(location.rstrip("/")) if "://" in location else Folder(Path(location))


@dataclass(frozen=True)
class Folder:
    """A folder with a subfolder for each first two digits of a digest."""

    path: Path

    def find(self, digest: str) -> Path | None:
        """Return the path of a file."""
        path = self._path(digest)
        return path if path.is_file() else None

    def size(self, digest: str) -> int | None:
        """Return the size of a file in bytes."""
        path = self._path(digest)
        return path.stat().st_size if path.is_file() else None

    def put(self, received: Path, digest: str) -> None:
        """Move a received file into place. A power failure leaves no file whose bytes do not match its digest."""
        target = self._path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        received.chmod(0o444)
        _sync(received)
        received.replace(target)
        _sync(target.parent)

    def delete(self, digest: str) -> None:
        """Delete a file."""
        self._path(digest).unlink(missing_ok=True)

    def pattern(self) -> str:
        """Return a regular expression for the path of a file."""
        return re.escape(str(self.path)) + r"/(?:[0-9a-f]{2}/)?([0-9a-f]{64})\b"

    def upload_folder(self) -> Path:
        """Return this folder, so that a finished upload is moved and not copied."""
        self.path.mkdir(parents=True, exist_ok=True)
        return self.path

    def delete_stalled_uploads(self) -> None:
        """Delete the folders of interrupted uploads. Another process may delete them at the same time."""
        for folder in filter(_is_stalled, self.path.glob(f"{UPLOAD_PREFIX}*")):
            shutil.rmtree(folder, ignore_errors=True)

    def _path(self, digest: str) -> Path:
        return self.path / digest[:2] / digest


@dataclass(frozen=True)
class ObjectStore:
    """An object store that fsspec can open, such as s3://bucket/prefix."""

    uri: str

    def find(self, digest: str) -> str:
        """Return the URI of a file. Sends no request, so the file may be missing."""
        return f"{self.uri}/{digest}"

    def size(self, digest: str) -> int | None:
        """Return the size of a file in bytes."""
        system, path = self._open(digest)
        return int(system.size(path)) if system.exists(path) else None

    def put(self, received: Path, digest: str) -> None:
        """Copy a received file to the store."""
        system, path = self._open(digest)
        system.put_file(str(received), path)

    def delete(self, digest: str) -> None:
        """Delete a file."""
        system, path = self._open(digest)
        if system.exists(path):
            system.rm_file(path)

    def pattern(self) -> str:
        """Return a regular expression for the URI of a file."""
        return re.escape(self.uri) + r"/(?:[0-9a-f]{2}/)?([0-9a-f]{64})\b"

    def upload_folder(self) -> None:
        """Return None: uploads arrive in the system's temporary folder."""

    def delete_stalled_uploads(self) -> None:
        """Do nothing: the store holds finished uploads only."""

    def _open(self, digest: str) -> tuple[Any, str]:
        """Return the file system of the store, and the path of a file in it."""
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(self.find(digest))
        return found


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_stalled(folder: Path) -> bool:
    try:
        newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except FileNotFoundError:  # the upload finished and moved its files
        return False
    return newest < time.time() - STALLED_SECONDS
