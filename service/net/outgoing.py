"""Requests to services that the operator names; those to what users name are guarded.py's."""

from collections.abc import Mapping

import httpx

TIMEOUT = httpx.Timeout(10, connect=5)


def why_refused(url: str) -> str | None:
    """Why a URL that a user gave is not asked; None if it may be."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        return f"is no URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.host:
        return "write https://HOST/PATH, or http:// inside your own network"
    return "leave user and password out: who receives knows us by the signature" if parts.userinfo else None


def open_client(
    base_url: str = "", headers: Mapping[str, str] | None = None, auth: tuple[str, str] | None = None
) -> httpx.Client:
    """A client that follows no redirect: who gave an address answers for that one. Threads may share it."""
    return httpx.Client(base_url=base_url, headers=headers, auth=auth, timeout=TIMEOUT, follow_redirects=False)
