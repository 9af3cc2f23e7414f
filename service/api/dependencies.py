"""Who asks, and what a route demands of them: each declares `dependencies=[READ]`, `[SUBMIT]` or `[ADMIN]`."""

import base64
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from service.auth.authenticator import Authenticator, require
from service.auth.rate_limit import RateLimiter
from service.domain.api_key import Caller, Scope
from service.errors import TooManyRequests
from service.net.allowed_hosts import is_loopback

# What a proxy on this machine, which may have been asked from anywhere, says of what it passes on.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")

bearer = HTTPBearer(
    scheme_name="key",
    auto_error=False,
    description="A key that `salience keys create` made. Its scope is `read`, `submit` or `admin`, each with those "
    "before it. On loopback, while no key was ever made, none is asked for.",
)


def get_caller(request: Request) -> Caller:
    """Who asks. Raises ApiKeyMissing, ApiKeyRefused, TooManyRequests."""
    authenticator: Authenticator = request.app.state.authenticator
    rates: RateLimiter = request.app.state.rate_limiter
    caller = authenticator.authenticate(_api_key(request), _is_local(request))
    if caller.prefix is not None and rates.limit:
        request.state.allowance = rates.spend(caller.prefix)
        if request.state.allowance.is_exceeded:
            raise TooManyRequests(most=rates.limit, seconds=request.state.allowance.seconds)
    return caller


CurrentCaller = Annotated[Caller, Depends(get_caller)]


async def require_scope(
    needed: SecurityScopes, caller: CurrentCaller, _shown: Annotated[object, Depends(bearer)]
) -> None:
    """Raise ScopeMissing for who may not do what the route does."""
    for scope in needed.scopes:
        require(caller, Scope(scope))


READ, SUBMIT, ADMIN = (Security(require_scope, scopes=[scope]) for scope in Scope)


def is_cross_site(request: Request) -> bool:
    """Whether a browser says that another site's page has it send this request."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    elsewhere = origin is not None and origin.partition("://")[2] != request.headers.get("Host")
    return elsewhere or site not in ("same-origin", "none")


def _api_key(request: Request) -> str | None:
    """The key that a request brings: as a bearer's, or as the password that a browser asked a person for."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic" and not is_cross_site(request):
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except ValueError:  # no base64, letters that it has not, or no UTF-8 in it
            return ""
    return None


def _is_local(request: Request) -> bool:
    """Whether a request came on loopback and by that name, sent neither by a page elsewhere nor by a proxy."""
    at = request.scope.get("server") or (None,)
    is_direct = not any(header in request.headers for header in FORWARDED)
    return is_loopback(at[0]) and is_loopback(request.url.hostname) and is_direct and not is_cross_site(request)
