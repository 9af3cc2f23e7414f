"""A file elsewhere."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere: its URI, its path below what was asked for, its bytes, and what changes when it does."""

    uri: str
    name: str
    size: int | None
    tag: str
