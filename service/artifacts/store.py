"""Stores uploads under their SHA-256, and finds those that a tenant may use."""

import asyncio
import hashlib
import logging
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.artifacts.backends import UPLOAD_PREFIX, Backend, open_backend
from service.errors import ArtifactRefused, ArtifactStoreUnavailable, InputRefused
from service.storage import ArtifactOwnerStore

DIGEST = re.compile("[0-9a-f]{64}")
URI = re.compile(r"artifact:sha256:([0-9a-f]{64})")

log = logging.getLogger(__name__)


def digest_in(uri: str) -> str | None:
    """Return the SHA-256 in the URI of an artifact, and None for any other text."""
    matched = URI.fullmatch(uri)
    return matched[1] if matched else None


def missing_message(uri: str) -> str:
    """Return the message for an artifact that is missing or belongs to another tenant."""
    return f"there is no {uri}; upload it with PUT /v1/artifacts"


@dataclass(frozen=True)
class Artifact:
    """A stored upload. `new` tells whether this upload created it."""

    digest: str
    size: int
    new: bool

    @property
    def uri(self) -> str:
        """The URI of the artifact in specs."""
        return f"artifact:sha256:{self.digest}"


@dataclass(frozen=True)
class ArtifactStore:
    """Artifacts at a location: the path of a folder, or the URI of an object store.

    With `owners`, the store has only the artifacts of one tenant. Finding an artifact for its owner restarts its
    retention time.
    """

    location: str
    owners: ArtifactOwnerStore | None = None

    @property
    def backend(self) -> Backend:
        """The folder or the object store."""
        return open_backend(self.location)

    def find(self, uri: str) -> Path | str:
        """Return the path of an artifact, or its URI in the object store. Raises InputRefused."""
        digest = digest_in(uri)
        if digest is None:
            raise InputRefused(reason=f"{uri!r} is not an artifact; write artifact:sha256: and 64 hexadecimal digits")
        is_owned = self.owners is None or not self.owners.lacking([digest])
        found = self.backend.find(digest) if is_owned else None
        if found is None:
            raise InputRefused(reason=missing_message(uri))
        return found

    def with_uris(self, text: str) -> str:
        """Replace the locations of artifacts in a text by their URIs."""
        return re.sub(self.backend.pattern(), r"artifact:sha256:\1", text)

    async def store(self, parts: AsyncIterator[bytes], wanted: str | None, most: int) -> Artifact:
        """Store an upload of at most `most` bytes, part by part. `wanted` is the SHA-256 that the upload must have.

        Raises ArtifactRefused for a wrong or too large upload, and ArtifactStoreUnavailable if there is no room. In
        both cases the received bytes are deleted.
        """
        with (
            _translate_storage_errors(),
            tempfile.TemporaryDirectory(dir=self.backend.upload_folder(), prefix=UPLOAD_PREFIX) as folder,
        ):
            received = Path(folder, "content")
            digest, size = await _receive(parts, received, most)
            if wanted is not None and digest != wanted.lower():
                raise ArtifactRefused(detail=f"its SHA-256 is {digest}, not {wanted}. Send it again")
            if size == 0:
                raise ArtifactRefused(detail="the request has no body. Send the bytes of the file")
            new = await asyncio.to_thread(self._commit, received, digest)
            return Artifact(digest, size, new)

    def size_of(self, digest: str) -> int | None:
        """Return the size of an artifact in bytes, and None if there is no such artifact."""
        if not DIGEST.fullmatch(digest) or not (self.owners is None or self.owners.has(digest)):
            return None
        return self.backend.size(digest)

    def expire(self, seconds: float) -> int:
        """Delete unused artifacts older than `seconds`, and interrupted uploads. Returns the number of artifacts.

        Raises OSError if this process may not delete them.
        """
        self.backend.delete_stalled_uploads()
        return 0 if self.owners is None else self.owners.expire(seconds, self.backend.delete)

    def _commit(self, received: Path, digest: str) -> bool:
        """Store a received file. Returns whether this tenant had not uploaded it before, whatever other tenants did.

        The owner is recorded before the file is stored, so that a stored file always has an owner.
        """
        is_new_owner = self.owners.add(digest) if self.owners is not None else None
        is_new_file = self.backend.size(digest) is None
        if is_new_file:
            self.backend.put(received, digest)
        return is_new_file if is_new_owner is None else is_new_owner


async def _receive(parts: AsyncIterator[bytes], target: Path, most: int) -> tuple[str, int]:
    """Write the parts of an upload to a file. Returns its SHA-256 and its size in bytes. Raises ArtifactRefused."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        async for part in parts:
            size += len(part)
            if size > most:
                raise ArtifactRefused(detail=f"it has more than {most:,} bytes; see SALIENCE_MAX_ARTIFACT_GIB")
            digest.update(part)
            out.write(part)
    return digest.hexdigest(), size


@contextmanager
def _translate_storage_errors() -> Iterator[None]:
    """Turn an error of the operating system into ArtifactStoreUnavailable."""
    try:
        yield
    except OSError as error:
        log.exception("An upload could not be stored")
        raise ArtifactStoreUnavailable(reason=error.strerror or type(error).__name__) from error
