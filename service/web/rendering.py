"""Renders templates as HTML responses, with headers that let a page run only our own scripts."""

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from service.measures import MEASURES
from service.web.formatting import age, duration, minus, number

# Pages load from this service only and run nothing inline; other sites may not frame a page or receive a form.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def render_page(template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """Return the page of a template."""
    return HTMLResponse(render(template, **shown), status, headers=HEADERS)


def render(template: str, **shown: Any) -> str:
    """Return the text of a template, with every value escaped."""
    return _environment().get_template(template).render(**shown)


@cache
def asset(name: str) -> str:
    """Return the URL of a file that pages load; it changes with the content of the file."""
    return f"/static/{name}?v={hashlib.sha256(static_content(name)).hexdigest()[:12]}"


def static_content(name: str) -> bytes:
    """Return the content of one of our files, or of a Swagger UI file from fastapi-offline."""
    package = "fastapi_offline" if name.startswith("swagger-ui") else "service.web"
    return (files(package) / "static" / name).read_bytes()


def format_time(when: datetime) -> Markup:
    """Return the age of a time, with the exact time on hover; the script updates it."""
    exact = when.astimezone(UTC)
    shown = age(time.time() - exact.timestamp())
    stamp = exact.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact.isoformat(timespec="seconds"), stamp, shown)


def format_prose(text: str) -> Markup:
    """Return a text as HTML; names between backticks become code."""
    parts = text.split("`")
    marked = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    ]
    return Markup("").join(marked)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("service.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"asset": asset, "catalogue": MEASURES}
    environment.filters |= {
        "duration": duration,
        "minus": minus,
        "moment": format_time,
        "number": number,
        "prose": format_prose,
        "count": "{:,}".format,
    }
    return environment
