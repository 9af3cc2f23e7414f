"""What holds for every request before it is understood: how large its body may be, and what its key may still ask.

Pure ASGI, so that nothing is held that streams.
"""

from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.rate_limit import SECONDS, Allowance
from service.errors import BodyTooLarge


class RequestLimitsMiddleware:
    """Counts bodies, said to be long or not, up to `limit` bytes, except where `streamed`; tells the allowance."""

    def __init__(self, app: ASGIApp, max_bytes: int, streamed: Collection[str]) -> None:
        self._app, self._most, self._streamed = app, max_bytes, streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start" and "allowance" in state:
                _note(MutableHeaders(scope=message), state["allowance"])
            await send(message)

        limited = receive if scope["path"] in self._streamed else self._limited(scope, receive)
        await self._app(scope, limited, tell)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        said = Headers(scope=scope).get("Content-Length", "")
        got = int(said) if said.isdecimal() and int(said) > self._most else 0

        async def counted() -> Message:
            nonlocal got
            message = await receive() if got <= self._most else {}
            got += len(message.get("body", b""))
            if got > self._most:
                # As HTTP's own error, which alone passes through whoever reads a body.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(BodyTooLarge(most=self._most)))
            return message

        return counted


def _note(headers: MutableHeaders, allowance: Allowance) -> None:
    """As the draft `RateLimit header fields for HTTP` of the IETF has it."""
    headers["RateLimit-Policy"] = f'"key";q={allowance.limit};w={SECONDS}'
    headers["RateLimit"] = f'"key";r={allowance.remaining};t={allowance.seconds}'
