"""Where one image of a set is, as a text that any worker can follow: a path, a URI, or a place in an archive."""

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
    """The place in an archive that a reference names; None for that of a file of its own."""
    kind, colon, rest = reference.partition(":")
    if not colon or kind not in KINDS:
        return None
    # Names in a zip may hold the mark; the path of a tar or a Parquet file may.
    source, mark, inner = rest.partition(SEPARATOR) if kind == "zip" else rest.rpartition(SEPARATOR)
    return ArchiveMember(kind, source, inner) if mark else None
