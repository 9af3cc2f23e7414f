"""Checks the members of zip and tar files: no paths outside the archive, no links, no decompression bombs."""

import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from service.errors import InputRefused

# Weights and images hardly compress. An archive with a higher ratio is probably made to fill the memory or the disk.
MAX_COMPRESSION_RATIO = 20
UNCHECKED_BYTES = 64 * 2**20  # extracted size allowed at any ratio, since code and configurations compress well
MAX_MEMBERS = 5_000_000


def check_compression(path: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    """Raise InputRefused if a zip file would become far larger when it is extracted."""
    check_extracted_size(path, sum(member.file_size for member in members))


def check_extracted_size(path: Path, extracted: int) -> None:
    """Raise InputRefused if `extracted` bytes are far more than the size of the archive."""
    size = path.stat().st_size
    if extracted > max_extracted_bytes(size):
        raise InputRefused(
            reason=f"{path} would grow from {size:,} to {extracted:,} bytes; archives may grow to "
            f"{MAX_COMPRESSION_RATIO} times their size"
        )


def max_extracted_bytes(size: int) -> int:
    """Return how many bytes an archive of `size` bytes may have when it is extracted."""
    return MAX_COMPRESSION_RATIO * size + UNCHECKED_BYTES


def check_member(path: Path, name: str) -> None:
    """Raise InputRefused for a member's name that leads out of the archive's folder."""
    inner = PurePosixPath(name.replace("\\", "/"))
    if inner.is_absolute() or ".." in inner.parts or "\0" in name:
        raise InputRefused(
            reason=f"{path} has the member {name!r}, which leads out of the archive; pack the folder again"
        )


def check_tar_member(path: Path, member: tarfile.TarInfo) -> None:
    """Raise InputRefused for a link, a device or a name that leads outside."""
    check_member(path, member.name)
    if not (member.isfile() or member.isdir()):
        kind = f"a link to {member.linkname!r}" if member.issym() or member.islnk() else "not a regular file"
        raise InputRefused(reason=f"{path} has the member {member.name!r}, which is {kind}; pack plain files only")


def is_tar(head: bytes) -> bool:
    """Return whether a file is a tar archive, by its first 512 bytes."""
    return head[257:262] == b"ustar"
