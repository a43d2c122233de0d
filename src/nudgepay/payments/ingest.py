"""Events into the inbox, many at a time: what waits while one commit runs is written by the next.

Nothing is delayed for it: the batch is whatever has gathered. Each caller is answered after its own commit.
"""

import asyncio
import contextlib

from nudgepay import clock
from nudgepay.db import AsyncStatements, DatabaseUnavailable
from nudgepay.payments.inbox import IncomingEvent

MAX_BATCH = 64
MAX_WAITING = 2_000
LONGEST_WAIT_SECONDS = 3.0
"""Who has waited this long behind others is refused, and comes again: no answer may take ten seconds."""

STORE_MANY = """
INSERT INTO stripe_events (event_id, type, payload)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING
"""


_Waiting = tuple[IncomingEvent, float, "asyncio.Future[None]"]
"""An event, when it came (seconds, monotonic), and who waits for its commit."""


class EventWriter:
    """One task per process that drains a bounded queue into the inbox."""

    def __init__(self, statements: AsyncStatements) -> None:
        """The task starts with the first event."""
        self._statements = statements
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, event: IncomingEvent) -> None:
        """Return once the event is committed; raises DatabaseUnavailable when it is not, or when too many wait."""
        if len(self._waiting) >= MAX_WAITING:
            raise DatabaseUnavailable("too many events wait to be stored")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, clock.monotonic(), done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        await done

    async def close(self) -> None:
        """Let what waits be written, then close the connections."""
        if self._task is not None:
            with contextlib.suppress(DatabaseUnavailable):
                await self._task
        await self._statements.close()

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            failure: DatabaseUnavailable | None = DatabaseUnavailable("the writer was stopped")
            try:
                failure = await self._try(batch)
            finally:
                for *_, done in batch:
                    if not done.done():
                        done.set_exception(failure) if failure is not None else done.set_result(None)

    async def _try(self, batch: list[_Waiting]) -> DatabaseUnavailable | None:
        if clock.monotonic() - batch[0][1] > LONGEST_WAIT_SECONDS:
            return DatabaseUnavailable("the event has waited too long to be stored")
        try:
            await self._store([event for event, *_ in batch])
        except DatabaseUnavailable as error:
            return error
        return None

    async def _store(self, events: list[IncomingEvent]) -> None:
        unique = {event.event_id: event for event in events}
        rows = [unique[event_id] for event_id in sorted(unique)]
        await self._statements.run(
            STORE_MANY, [[row.event_id for row in rows], [row.type for row in rows], [row.payload for row in rows]]
        )
