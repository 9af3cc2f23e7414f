"""Dependencies of routes: the caller, and the scope that a route needs.

Each route declares `dependencies=[READ]`, `[SUBMIT]` or `[ADMIN]`.
"""

import base64
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from service.auth.authenticator import Authenticator, require
from service.auth.rate_limit import RateLimiter
from service.domain.api_key import Caller, Scope
from service.errors import TooManyRequests
from service.net.allowed_hosts import is_loopback

# A proxy on this machine adds these headers to requests that may come from anywhere.
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")

bearer = HTTPBearer(
    scheme_name="key",
    auto_error=False,
    description="An API key made by `salience keys create`. Its scope is `read`, `submit` or `admin`; each scope "
    "includes those before it. Until the first key is created, requests on loopback need no key.",
)


def get_caller(request: Request) -> Caller:
    """Return the authenticated caller. Raises ApiKeyMissing, ApiKeyRefused, TooManyRequests."""
    authenticator: Authenticator = request.app.state.authenticator
    limiter: RateLimiter = request.app.state.rate_limiter
    caller = authenticator.authenticate(_api_key(request), _is_local(request))
    if caller.prefix is not None and limiter.limit:
        request.state.allowance = limiter.spend(caller.prefix)
        if request.state.allowance.is_exceeded:
            raise TooManyRequests(most=limiter.limit, seconds=request.state.allowance.seconds)
    return caller


CurrentCaller = Annotated[Caller, Depends(get_caller)]


async def require_scope(
    needed: SecurityScopes, caller: CurrentCaller, _documented: Annotated[object, Depends(bearer)]
) -> None:
    """Raise ScopeMissing if the caller lacks a scope that the route needs. `bearer` documents the key in OpenAPI."""
    for scope in needed.scopes:
        require(caller, Scope(scope))


READ, SUBMIT, ADMIN = (Security(require_scope, scopes=[scope]) for scope in Scope)


def is_cross_site(request: Request) -> bool:
    """Return whether a browser sent this request from a page of another site."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    is_foreign = origin is not None and origin.partition("://")[2] != request.headers.get("Host")
    return is_foreign or site not in ("same-origin", "none")


def _api_key(request: Request) -> str | None:
    """Return the API key of a request: a bearer token, or the password of a browser's login dialogue."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic" and not is_cross_site(request):
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except ValueError:  # not base64, or not UTF-8
            return ""
    return None


def _is_local(request: Request) -> bool:
    """Return whether a request came over loopback, to a loopback name, and not from a foreign page or a proxy."""
    server = request.scope.get("server") or (None,)
    is_direct = not any(header in request.headers for header in PROXY_HEADERS)
    return is_loopback(server[0]) and is_loopback(request.url.hostname) and is_direct and not is_cross_site(request)
