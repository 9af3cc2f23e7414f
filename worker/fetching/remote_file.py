"""A file elsewhere."""

from dataclasses import dataclass

import httpx


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere: its URI, its path below what was asked for, its bytes, and what changes when it does.

    Without such a `tag`, nothing tells whether it is what it was.
    """

    uri: str
    name: str
    size: int | None
    tag: str


def tag_of(answer: httpx.Response) -> str:
    """What a server says that changes when a file does; nothing, where it does not say."""
    return str(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "") if answer.is_success else ""
