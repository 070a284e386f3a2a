"""Runs the application on a socket: the address, signals, slow clients, and an end that finishes what is under way."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from scene_lightning.errors import InputError
from scene_lightning.serving.limits import Limits

_TOO_SLOW_BODY = json.dumps(
    {
        "error": {
            "expected": "A request whose headers come in time.",
            "received": "A part of them, or nothing.",
            "cure": "Send the request again, whole.",
        }
    }
).encode()
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_TOO_SLOW_BODY)
)


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound, and listens when the server starts.

    Args:
        host: a name or numeric address of this machine.
        port: 0 for any that is free.

    Raises:
        InputError: the port is taken or not allowed, or the host is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InputError(
            f"--host {host!r} is no address of this machine. Expected 127.0.0.1, 0.0.0.0 or a name."
        ) from None
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise InputError(
            f"cannot listen on {host}, port {port}: {(error.strerror or str(error)).lower()}. "
            "Choose another --port, or 0 for any that is free."
        ) from None
    return bound


def address_of(bound: socket.socket) -> str:
    """What to type into a browser.

    Args:
        bound: of `listen`.
    """
    host, port = bound.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def is_public(bound: socket.socket) -> bool:
    """Whether other machines can reach it.

    Args:
        bound: of `listen`.
    """
    return not ipaddress.ip_address(bound.getsockname()[0]).is_loopback


class _Protocol(H11Protocol):
    """HTTP/1.1; a connection that does not send its headers in time is closed, which uvicorn leaves open for ever."""

    seconds_for_headers = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        if self._between_requests() and self._deadline is None:
            self._expect_headers()
        super().data_received(data)
        if not self._between_requests():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(self.seconds_for_headers, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._between_requests() and not self.transport.is_closing():
            self.transport.write(_TOO_SLOW + _TOO_SLOW_BODY)
            self.transport.close()


class Server(uvicorn.Server):
    """Ends in order when SIGTERM or Ctrl-C comes: no new connections, what is under way is answered.

    uvicorn raises the signal again afterwards, which would end the command as if it had failed.

    Args:
        config: uvicorn's.
        on_start: called when connections are accepted.

    Attributes:
        ended_by: the signal that came first.
    """

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start
        self.ended_by: int | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # Python gives signals to that one alone
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.ended_by = self.ended_by or sig
        super().handle_exit(sig, frame)


def _says_more_than_that_a_decoder_ended(record: logging.LogRecord) -> bool:
    """At the end asyncio may find that a decoder has been waited for already, and warns of it."""
    return not record.getMessage().startswith("Unknown child process")


def make_server(
    app: Any, limits: Limits, on_start: Callable[[], None] = lambda: None, proxies: Sequence[str] = ()
) -> Server:
    """The server, not running yet.

    Args:
        app: the application.
        limits: seconds and connections.
        on_start: called when connections are accepted.
        proxies: addresses or networks of reverse proxies, whose X-Forwarded-For says who the client is.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # of requests that are no HTTP, a warning each
    logging.getLogger("asyncio").addFilter(_says_more_than_that_a_decoder_ended)
    protocol = type("_TimedProtocol", (_Protocol,), {"seconds_for_headers": limits.seconds_for_headers})
    config = uvicorn.Config(
        app,
        loop="asyncio",  # uvloop waits for SIGCHLD, whose handler a Lightning Trainer resets: decoders would never end
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        limit_concurrency=limits.connections,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(limits.seconds_to_stop),
    )
    return Server(config, on_start)
