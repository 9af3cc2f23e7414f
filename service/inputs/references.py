"""References to single images, as text that any worker can resolve: a path, a URI, or a member of an archive."""

from dataclasses import dataclass

KINDS = ("zip", "tar", "parquet")
SEPARATOR = "!/"


@dataclass(frozen=True)
class ArchiveMember:
    """An image in an archive; `source` is the archive's path or URI.

    `inner` is a zip's member, a tar's `offset+size`, or a Parquet file's `row group/row/column`.
    """

    kind: str
    source: str
    inner: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.source}{SEPARATOR}{self.inner}"


def parse_reference(reference: str) -> ArchiveMember | None:
    """Parse a reference to a member of an archive. Returns None for a path or a URI."""
    kind, colon, rest = reference.partition(":")
    if not colon or kind not in KINDS:
        return None
    # The member's name may contain the separator in a zip file; otherwise, only the path of the archive may.
    source, separator, inner = rest.partition(SEPARATOR) if kind == "zip" else rest.rpartition(SEPARATOR)
    return ArchiveMember(kind, source, inner) if separator else None
