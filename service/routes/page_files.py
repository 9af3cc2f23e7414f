"""The files that pages load: a stylesheet, a script, an icon. An address is of one content, and kept for good."""

from importlib.resources import files

from fastapi import APIRouter, Response

from service.errors import PageFileNotFound
from service.pages.rendering import HEADERS

router = APIRouter(include_in_schema=False)

TYPES = {"tokens.css": "text/css", "site.css": "text/css", "site.js": "text/javascript", "icon.svg": "image/svg+xml"}
KEPT = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/static/{file}")
def page_file(file: str) -> Response:
    """One file of ours."""
    if file not in TYPES:
        raise PageFileNotFound(file=file)
    content = (files("service.pages") / "static" / file).read_bytes()
    return Response(content, media_type=TYPES[file], headers=KEPT)
