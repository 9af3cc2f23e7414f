"""Who asks, and what a route demands of them: each declares `dependencies=[READ]`, `[SUBMIT]` or `[ADMIN]`."""

import base64
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from service.access import Door, require
from service.addresses import is_loopback
from service.errors import TooManyRequests
from service.keys import Caller, Scope
from service.rates import Rates

# What a proxy on this machine, which may have been asked from anywhere, says of what it passes on.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")

bearer = HTTPBearer(
    scheme_name="key",
    auto_error=False,
    description="A key that `salience keys create` made. Its scope is `read`, `submit` or `admin`, each with those "
    "before it. On loopback, while no key was ever made, none is asked for.",
)


def the_caller(request: Request) -> Caller:
    """Who asks. Raises KeyMissing, KeyRefused, TooManyRequests."""
    door: Door = request.app.state.door
    rates: Rates = request.app.state.rates
    caller = door.admit(_secret(request), _is_from_here(request))
    if caller.prefix is not None and rates.most:
        request.state.allowance = rates.spend(caller.prefix)
        if request.state.allowance.spent:
            raise TooManyRequests(most=rates.most, seconds=request.state.allowance.seconds)
    return caller


CallerHere = Annotated[Caller, Depends(the_caller)]


async def demand(needed: SecurityScopes, caller: CallerHere, _shown: Annotated[object, Depends(bearer)]) -> None:
    """Raise ScopeMissing for who may not do what the route does."""
    for scope in needed.scopes:
        require(caller, Scope(scope))


READ, SUBMIT, ADMIN = (Security(demand, scopes=[scope]) for scope in Scope)


def is_foreign(request: Request) -> bool:
    """Whether a browser says that another site's page has it send this request."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    elsewhere = origin is not None and origin.partition("://")[2] != request.headers.get("Host")
    return elsewhere or site not in ("same-origin", "none")


def _secret(request: Request) -> str | None:
    """The key that a request brings: as a bearer's, or as the password that a browser asked a person for."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic" and not is_foreign(request):
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except ValueError:  # no base64, letters that it has not, or no UTF-8 in it
            return ""
    return None


def _is_from_here(request: Request) -> bool:
    """Whether a request came on loopback and by that name, sent neither by a page elsewhere nor by a proxy."""
    at = request.scope.get("server") or (None,)
    is_direct = not any(header in request.headers for header in FORWARDED)
    return is_loopback(at[0]) and is_loopback(request.url.hostname) and is_direct and not is_foreign(request)
