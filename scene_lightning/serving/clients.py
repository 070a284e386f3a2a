"""Shares a server among its clients: whose photograph is next, and how much one of them may have under way."""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from starlette.requests import Request

from scene_lightning.serving.limits import RefusedError


def client_of(request: Request) -> str:
    """Who asks: the address that the connection comes from, or that a trusted proxy names. Behind any other reverse
    proxy that is the proxy's, for everyone.

    Args:
        request: the request.
    """
    return request.client.host if request.client is not None else ""


class Turns:
    """Some photographs at a time, of the clients that wait in turn: one who sends many waits for himself.

    Args:
        count: how many have their turn at once.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # the next client first

    async def take(self, client: str) -> None:
        """Wait for a turn, which `give_back` ends.

        Args:
            client: who waits.
        """
        if self._free and not self._waiting:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn came as the request gave up
                self.give_back()
            raise

    def give_back(self) -> None:
        """End a turn: it goes to the next client's photograph that has waited longest."""
        while self._waiting:
            client = next(iter(self._waiting))
            waiting = self._waiting.pop(client)
            turn = waiting.popleft()
            if waiting:
                self._waiting[client] = waiting  # after the others
            if not turn.done():  # else the request has given up
                turn.set_result(None)
                return
        self._free += 1


class Room:
    """Counts what is under way, and refuses what is too much, of one client or of all.

    Args:
        what: is counted, in words.
        most: of all clients together.
        share: of it that one client may have.
    """

    def __init__(self, what: str, most: int, share: float) -> None:
        self._what, self._most, self._share = what, most, share
        self._of = Counter[str]()

    @property
    def taken(self) -> int:
        """How much is under way."""
        return self._of.total()

    def take(self, client: str, amount: int) -> None:
        """Count more.

        Args:
            client: whose.
            amount: how much.

        Raises:
            RefusedError: too much of this client's (429), or of all clients' (503).
        """
        if self._of[client] + amount > self._most * self._share:
            received = f"A request among too many {self._what} of yours."
            cure = "Wait for answers before you send more; try again in a second."
            raise RefusedError(429, "Fewer requests at once.", received, cure)
        if self.taken + amount > self._most:
            raise busy(self._what)
        self._of[client] += amount

    def leave(self, client: str, amount: int) -> None:
        """Count less again.

        Args:
            client: whose.
            amount: how much.
        """
        self._of[client] -= amount
        if not self._of[client]:
            del self._of[client]


def busy(of_what: str) -> RefusedError:
    """The answer of a server that has too much to do.

    Args:
        of_what: what there is too much of.
    """
    return RefusedError(
        503, "A moment with less to do.", f"A request among too many {of_what}.", "Try again in a second."
    )
