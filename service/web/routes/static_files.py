"""The files that pages load: stylesheets, scripts, an icon.

Browsers cache the files forever, because a file with other content has another URL.
"""

from fastapi import APIRouter, Response

from service.errors import StaticFileNotFound
from service.web.rendering import HEADERS, static_content

router = APIRouter(include_in_schema=False)

TYPES = {
    "tokens.css": "text/css", "site.css": "text/css", "pages.css": "text/css", "swagger-ui.css": "text/css",
    "site.js": "text/javascript", "api.js": "text/javascript", "swagger-ui-bundle.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}  # fmt: skip
CACHED_HEADERS = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/static/{file}")
def page_file(file: str) -> Response:
    """Return a file in TYPES. Raises StaticFileNotFound."""
    if file not in TYPES:
        raise StaticFileNotFound(file=file)
    return Response(static_content(file), media_type=TYPES[file], headers=CACHED_HEADERS)
