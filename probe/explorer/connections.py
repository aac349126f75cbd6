"""Connections of the explorer's server: slow and idle ones end, and many strangers do not keep the page out."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_STRANGERS = 100
"""Connections that have not shown the cookie; of more, the oldest ends."""
MOST_CONNECTIONS = 400
"""All connections; of more, the one that has been idle for the longest time ends."""
HEAD_S = 10.0
"""Seconds in which the head of a request must arrive."""
STALLED_S = 30.0
"""Seconds for which a client may read nothing of what it is sent."""


class WatchedConnection(H11Protocol):
    """A connection that ends if its client is too slow, or if there are too many."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._is_known = False
        self._idle_since = self.loop.time()
        self._stalled: asyncio.TimerHandle | None = None
        self._waiting: asyncio.TimerHandle | None = self.loop.call_later(HEAD_S, transport.abort)
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._wait_no_more()
        self._stall_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read some bytes; as long as they are no whole head of a request, the time runs on."""
        super().data_received(data)
        if self.is_busy:
            self._wait_no_more()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._is_known = self._is_known or bool(self.cycle.scope["state"].get("is_known"))
        self._idle_since = self.loop.time()
        self._wait_no_more()
        self._waiting = self.loop.call_later(HEAD_S, self.transport.abort)
        super().on_response_complete()
        if self.is_busy:  # with a request that had arrived before
            self._wait_no_more()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._stall_no_more()
        self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on, since it has read."""
        super().resume_writing()
        self._stall_no_more()

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return bool(self.cycle) and not self.cycle.response_complete

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _stall_no_more(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _make_room(self) -> None:
        """End a connection if there are too many: a stranger's, the oldest idle one, or this one."""
        others = [
            other
            for other in self.connections
            if isinstance(other, WatchedConnection) and other is not self and not other.transport.is_closing()
        ]
        strangers = [other for other in others if not other._is_known and not other.is_busy]
        if len(strangers) >= MOST_STRANGERS:
            min(strangers, key=lambda other: other._idle_since).transport.abort()
        elif len(others) >= MOST_CONNECTIONS:
            idle = [other for other in others if not other.is_busy]
            min(idle, key=lambda other: (other._is_known, other._idle_since), default=self).transport.abort()
