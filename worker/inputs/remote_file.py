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


def entity_tag(answer: httpx.Response) -> str:
    """What a server says that changes when a file does; nothing, where it does not say."""
    return str(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "") if answer.is_success else ""


def resume_headers(file: RemoteFile, have: int) -> dict[str, str]:
    """Headers that ask for what comes after the first bytes, or for all of a file that has changed since."""
    is_weak = not file.tag or file.tag.startswith("W/")  # a mark that may not be used so
    return {"Range": f"bytes={have}-"} | ({} if is_weak else {"If-Range": file.tag})


def resumes(file: RemoteFile, have: int, answer: httpx.Response) -> bool:
    """Whether an answer is the rest of the same file; there are servers that do not look whether it is."""
    starts = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    return starts and entity_tag(answer) in ("", file.tag)
