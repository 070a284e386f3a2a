"""Refuses requests that pages of other sites make, adds the security headers, and measures every request."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scene_lightning.serving.limits import RefusedError
from scene_lightning.serving.measurements import Measurements

PATHS = ("/", "/predict", "/health", "/metrics", "/openapi.json")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_BARE = "default-src 'none'; frame-ancestors 'none'"  # of answers that are no page


class Guard:
    """Middleware around the whole application.

    A page of another site could let its visitor's browser ask this server: under a name of its own that it points here
    (DNS rebinding), or across origins (CSRF). The first is seen by the Host header, the second by Origin. Numeric
    addresses are no names that anybody could point elsewhere, and are welcome.

    Args:
        app: the application.
        names: the host names under which the server is known, beside localhost and numeric addresses.
        measurements: takes note of each request.
    """

    def __init__(self, app: ASGIApp, names: Collection[str], measurements: Measurements) -> None:
        self._app, self._measurements = app, measurements
        self._names = {name.lower().rstrip(".") for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), [500]

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("content-security-policy", _BARE)
                if status[0] in (429, 503):
                    headers["retry-after"] = "1"
                if status[0] == 408:
                    headers["connection"] = "close"
            await send(message)

        try:
            refused = self._refusal(Headers(scope=scope), scope["method"])
            if refused is None:
                await self._app(scope, receive, send_guarded)
            else:
                await _answer(refused, send_guarded)
        finally:
            path = scope["path"] if scope["path"] in PATHS else "other"
            self._measurements.requests.labels(path, str(status[0])).inc()
            self._measurements.request_seconds.labels(path).observe(time.perf_counter() - start)

    def _refusal(self, headers: Headers, method: str) -> RefusedError | None:
        host = headers.get("host", "")
        if not self._is_known(_name_in(host)):
            expected = "A request to localhost, to a numeric address, or to a name that the server knows."
            return RefusedError(400, expected, f"One to {host[:80]!r}.", "Start it with: serve … --allow-host NAME")
        origin = headers.get("origin")
        if method not in ("GET", "HEAD", "OPTIONS") and origin is not None and origin.partition("://")[2] != host:
            expected = "A request of this server's own page, or of a program."
            return RefusedError(
                403, expected, f"One of a page of {origin[:80]}.", "Use the page that the server shows."
            )
        return None

    def _is_known(self, name: str) -> bool:
        try:
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return name == "localhost" or name in self._names


def _name_in(host: str) -> str:
    """The name or address of a Host header, without its port."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")


async def _answer(refused: RefusedError, send: Send) -> None:
    body = json.dumps({"error": refused.as_dict()}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
