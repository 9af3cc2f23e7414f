"""The files that pages load: stylesheets, scripts, an icon. An address is of one content, and kept for good."""

from fastapi import APIRouter, Response

from service.errors import PageFileNotFound
from service.pages.rendering import HEADERS, content_of

router = APIRouter(include_in_schema=False)

TYPES = {
    "tokens.css": "text/css", "site.css": "text/css", "pages.css": "text/css", "swagger-ui.css": "text/css",
    "site.js": "text/javascript", "api.js": "text/javascript", "swagger-ui-bundle.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}  # fmt: skip
KEPT = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/static/{file}")
def page_file(file: str) -> Response:
    """One file of those."""
    if file not in TYPES:
        raise PageFileNotFound(file=file)
    return Response(content_of(file), media_type=TYPES[file], headers=KEPT)
