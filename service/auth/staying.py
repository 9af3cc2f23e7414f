"""Whether those who were let in may stay: asked again while what they are told goes on. Knows no job.

However many streams hang on one key, it is looked up once a moment.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress

from fastapi.concurrency import run_in_threadpool

from service.auth.authenticator import Authenticator
from service.domain.api_key import Caller
from service.errors import DatabaseUnavailable

RECHECK_SECONDS = 0.2


class StreamRevocation:
    """The streams of one process, and what is known of their listeners' keys."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._door = authenticator
        self._known: dict[str | None, tuple[float, bool]] = {}

    async def until_revoked(self, caller: Caller, events: AsyncGenerator[str]) -> AsyncIterator[str]:
        """The events, until one comes when the caller would no longer be let in."""
        async with aclosing(events):
            async for event in events:
                if not await self._is_valid(caller):
                    return
                yield event

    async def _is_valid(self, caller: Caller) -> bool:
        checked_at, welcome = self._known.get(caller.prefix, (0.0, True))
        now = time.monotonic()
        if now - checked_at >= RECHECK_SECONDS:
            self._known[caller.prefix] = (now, welcome)  # others do not ask meanwhile
            with suppress(DatabaseUnavailable):  # which tells nobody of any job, either
                welcome = await run_in_threadpool(self._door.is_still_valid, caller)
                self._known[caller.prefix] = (now, welcome)
        return welcome
