"""What users uploaded: kept by its SHA-256, in a folder that the workers share, or in an object store."""

import asyncio
import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.errors import ArtifactRefused, ArtifactStoreUnavailable, InputRefused
from service.storage import ArtifactOwnerStore

DIGEST = re.compile("[0-9a-f]{64}")
URI = re.compile(r"artifact:sha256:([0-9a-f]{64})")
UPLOAD_PREFIX = "upload-"  # how folders are called that uploads arrive in
STALLED_SECONDS = 86400.0  # after which an upload that nothing comes of is nobody's

log = logging.getLogger(__name__)


def digest_in(uri: str) -> str | None:
    """The SHA-256 in an artifact's URI; None for any other text."""
    matched = URI.fullmatch(uri)
    return matched[1] if matched else None


def absent(uri: str) -> str:
    """What is said of an artifact that is not there, and of one that is another tenant's."""
    return f"there is no {uri}; upload it with PUT /v1/artifacts"


@dataclass(frozen=True)
class Artifact:
    """An upload as it is kept; `new` is whether it was not there before."""

    digest: str
    size: int
    new: bool

    @property
    def uri(self) -> str:
        """What to name it by in a spec."""
        return f"artifact:sha256:{self.digest}"


@dataclass(frozen=True)
class ArtifactStore:
    """Where artifacts are: a folder's path, or the URI of an object store; with owners, those of one tenant.

    An artifact that is found for its owner is kept from then on for as long as one that was just uploaded.
    """

    location: str
    owners: ArtifactOwnerStore | None = None

    @property
    def is_remote(self) -> bool:
        """Whether they are in an object store."""
        return "://" in self.location

    def find(self, uri: str) -> Path | str:
        """Where an artifact is: its path, or its URI in the object store. Raises InputRefused."""
        matched = URI.fullmatch(uri)
        if matched is None:
            raise InputRefused(reason=f"{uri!r} is not an artifact; write artifact:sha256: and 64 hexadecimal digits")
        there = f"{self.location.rstrip('/')}/{matched[1]}" if self.is_remote else self._path(matched[1])
        owned = self.owners is None or not self.owners.lacking([matched[1]])
        if not owned or (isinstance(there, Path) and not there.is_file()):
            raise InputRefused(reason=absent(uri))
        return there

    def with_uris(self, text: str) -> str:
        """A text that names artifacts by their URIs, and not by where they are kept."""
        location = self.location.rstrip("/") if self.is_remote else str(Path(self.location))
        kept = re.escape(location) + r"/(?:[0-9a-f]{2}/)?([0-9a-f]{64})\b"
        return re.sub(kept, r"artifact:sha256:\1", text)

    async def store(self, parts: AsyncIterator[bytes], wanted: str | None, most: int) -> Artifact:
        """Keep what comes in parts, none of them for long. Raises ArtifactRefused where it is not what was said.

        Raises ArtifactStoreUnavailable where there is no room; nothing is then left of it.
        """
        with (
            _translate_storage_errors(),
            tempfile.TemporaryDirectory(dir=self._staging(), prefix=UPLOAD_PREFIX) as folder,
        ):
            received = Path(folder, "content")
            digest, size = hashlib.sha256(), 0
            with received.open("wb") as out:
                async for part in parts:
                    size += len(part)
                    if size > most:
                        raise ArtifactRefused(detail=f"more than {most:,} bytes; see SALIENCE_MAX_ARTIFACT_GIB")
                    digest.update(part)
                    out.write(part)
            found = digest.hexdigest()
            if wanted is not None and found != wanted.lower():
                raise ArtifactRefused(detail=f"what arrived has the SHA-256 {found}, not {wanted}; send it again")
            if size == 0:
                raise ArtifactRefused(detail="the request has no body; send the file's bytes")
            new = await asyncio.to_thread(self._commit, received, found)
            return Artifact(found, size, new)

    def size_of(self, digest: str) -> int | None:
        """How many bytes an artifact has, None where there is none."""
        if not DIGEST.fullmatch(digest) or not (self.owners is None or self.owners.has(digest)):
            return None
        return self._size(digest)

    def expire(self, seconds: float) -> int:
        """Delete what is due by its owners, and what uploads left that were broken off. Returns how many were deleted.

        Raises OSError where this process may not delete.
        """
        if not self.is_remote:
            for folder in filter(_has_stalled, Path(self.location).glob(f"{UPLOAD_PREFIX}*")):
                shutil.rmtree(folder, ignore_errors=True)  # another process may be at it
        return 0 if self.owners is None else self.owners.expire(seconds, self._delete)

    def _delete(self, digest: str) -> None:
        if not self.is_remote:
            self._path(digest).unlink(missing_ok=True)
            return
        system, path = _open_store(f"{self.location.rstrip('/')}/{digest}")
        if system.exists(path):
            system.rm_file(path)

    def _size(self, digest: str) -> int | None:
        if self.is_remote:
            system, there = _open_store(f"{self.location.rstrip('/')}/{digest}")
            return int(system.size(there)) if system.exists(there) else None
        path = self._path(digest)
        return path.stat().st_size if path.is_file() else None

    def _commit(self, received: Path, digest: str) -> bool:
        """Keep what was received. Returns whether it is new, to the tenant: whether others have it is not told.

        Whose it is stands in the database first, so that it is at no time nobody's.
        """
        noted = self.owners.add(digest) if self.owners is not None else None
        kept = self._size(digest) is not None
        if not kept:
            self._move_into_place(received, digest)
        return not kept if noted is None else noted

    def _move_into_place(self, received: Path, digest: str) -> None:
        if self.is_remote:
            system, path = _open_store(f"{self.location.rstrip('/')}/{digest}")
            system.put_file(str(received), path)
            return
        target = self._path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        received.chmod(0o444)
        _sync(received)  # so that after a power cut none has a digest's name that is not it
        received.replace(target)
        _sync(target.parent)

    def _staging(self) -> Path | None:
        """Uploads arrive beside where they will be kept, so that they are moved and not copied."""
        if self.is_remote:
            return None
        Path(self.location).mkdir(parents=True, exist_ok=True)
        return Path(self.location)

    def _path(self, digest: str) -> Path:
        return Path(self.location, digest[:2], digest)


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _has_stalled(folder: Path) -> bool:
    try:
        newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except FileNotFoundError:  # it has just arrived
        return False
    return newest < time.time() - STALLED_SECONDS


@contextmanager
def _translate_storage_errors() -> Iterator[None]:
    """Raise ArtifactStoreUnavailable for whatever the operating system says against keeping something."""
    try:
        yield
    except OSError as error:
        log.exception("An upload could not be kept")
        raise ArtifactStoreUnavailable(reason=error.strerror or type(error).__name__) from error


def _open_store(uri: str) -> tuple[Any, str]:
    """The object store of a URI, and the path there."""
    from fsspec.core import url_to_fs

    found: tuple[Any, str] = url_to_fs(uri)
    return found
