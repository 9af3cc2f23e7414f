"""What zip and tar files may hold: nothing that leads outside, no links, no bombs. Extracts nothing."""

import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from service.errors import InputRefused

# Weights and images hardly shrink; what grows more than this is made to fill memory or disk.
MAX_COMPRESSION_RATIO = 20
UNCHECKED_BYTES = 64 * 2**20  # bytes that may come from next to nothing, as code and configurations do
MAX_MEMBERS = 5_000_000


def check_compression(path: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    """Raise InputRefused where a zip would become far more than it is."""
    check_extracted_size(path, sum(member.file_size for member in members))


def check_extracted_size(path: Path, inflated: int) -> None:
    """Raise InputRefused where a file would become so many bytes, which is far more than it is."""
    size = path.stat().st_size
    if inflated > max_extracted_bytes(size):
        raise InputRefused(
            reason=f"{path} would grow from {size:,} to {inflated:,} bytes; archives of more than "
            f"{MAX_COMPRESSION_RATIO} times their size are not unpacked"
        )


def max_extracted_bytes(size: int) -> int:
    """How many bytes an archive of so many may become."""
    return MAX_COMPRESSION_RATIO * size + UNCHECKED_BYTES


def check_member(path: Path, name: str) -> None:
    """Raise InputRefused for a name that leads out of the archive's folder."""
    inner = PurePosixPath(name.replace("\\", "/"))
    if inner.is_absolute() or ".." in inner.parts or "\0" in name:
        raise InputRefused(reason=f"{path} holds the member {name!r}, which leads outside; pack the folder again")


def check_tar_member(path: Path, member: tarfile.TarInfo) -> None:
    """Raise InputRefused for a link, a device or a name that leads outside."""
    check_member(path, member.name)
    if not (member.isfile() or member.isdir()):
        kind = f"a link to {member.linkname!r}" if member.issym() or member.islnk() else "no plain file"
        raise InputRefused(reason=f"{path} holds {member.name!r}, which is {kind}; pack files and folders only")


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so (512 bytes) is a tar archive."""
    return head[257:262] == b"ustar"
