"""Downloads images from addresses that were given explicitly: http and https, within limits of size, time and hops."""

from __future__ import annotations

import http.client
import os
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from scene_lightning import __version__
from scene_lightning.data.members import BytesPath
from scene_lightning.errors import InputError
from scene_lightning.image_sources.stored import LARGEST_IMAGE, Store

_SECONDS_OF_SILENCE, _SECONDS_IN_ALL = 15.0, 120.0
_MOST_REDIRECTIONS = 5
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def is_url(path: str) -> bool:
    """Whether a name is an address.

    Args:
        path: as it was given.

    Raises:
        InputError: one of another kind than http and https.
    """
    scheme = _SCHEME.match(path)
    if scheme is None or os.path.exists(path):
        return False
    if scheme[1].lower() not in ("http", "https"):
        raise InputError(f"{path!r}: expected an address that begins with http:// or https://, or a file's path.")
    return True


class UrlPath(BytesPath):
    """The address of an image, which is downloaded when it is first read, and once.

    Args:
        url: the address.
        store: keeps what was downloaded.
    """

    __slots__ = ("_error", "_lock", "_piece", "_store")
    _store: Store
    _lock: threading.Lock
    _piece: tuple[int, int] | None
    _error: str

    def __new__(cls, url: str, store: Store) -> UrlPath:
        made = super().__new__(cls, url)
        made._store, made._lock, made._piece, made._error = store, threading.Lock(), None, ""
        return made

    def read_bytes(self) -> bytes:
        with self._lock:
            if self._error:
                raise OSError(self._error)
            if self._piece is not None:
                return self._store.read(*self._piece)
            try:
                content = fetch(str(self))
            except OSError as error:
                self._error = str(error)
                raise
            self._piece = self._store.add(content), len(content)
            return content


def fetch(url: str) -> bytes:
    """Download what is at an address.

    Args:
        url: http or https.

    Raises:
        OSError: it cannot be had, in a few words; or it is larger than `LARGEST_IMAGE`.
    """
    try:
        request = urllib.request.Request(
            _quoted(url), headers={"User-Agent": f"scene-lightning/{__version__}", "Accept": "image/*,*/*;q=0.5"}
        )
        with _OPENER.open(request, timeout=_SECONDS_OF_SILENCE) as response:
            return _content(response)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (301, 302, 303, 307, 308):
            raise OSError(f"it leads on too often (more than {_MOST_REDIRECTIONS} times), or nowhere") from None
        raise OSError(f"the server says {error.code} {error.reason}".rstrip()) from None
    except TimeoutError:
        raise OSError(f"no answer within {_SECONDS_OF_SILENCE:.0f} seconds") from None
    except urllib.error.URLError as error:
        reason = error.reason
        if isinstance(reason, TimeoutError):
            raise OSError(f"no answer within {_SECONDS_OF_SILENCE:.0f} seconds") from None
        raise OSError(f"it cannot be reached: {getattr(reason, 'strerror', None) or reason}") from None
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"it is no valid address, or no web server answers: {error}") from None


def _content(response: Any) -> bytes:
    announced = int(response.headers.get("Content-Length") or -1)
    parts: list[bytes] = []
    size, end = 0, time.monotonic() + _SECONDS_IN_ALL
    while size <= LARGEST_IMAGE and announced <= LARGEST_IMAGE:
        part = response.read1(2**16)
        if not part:
            if size < announced:
                raise OSError(f"the connection ended after {size:,} of {announced:,} bytes")
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if time.monotonic() > end:
            raise OSError(f"it takes longer than {_SECONDS_IN_ALL:.0f} seconds")
    raise OSError(f"it has {max(size, announced):,} bytes or more, and an image at most {LARGEST_IMAGE:,}")


def _quoted(url: str) -> str:
    """The address with what is no ASCII, and spaces, as servers expect them."""
    parts = urllib.parse.urlsplit(url)
    path = urllib.parse.quote(parts.path, safe="/%:=&~+!$,;'@()*")
    query = urllib.parse.quote(parts.query, safe="/%:=&~+!$,;'@()*?[]")
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, query, ""))


class _Redirections(urllib.request.HTTPRedirectHandler):
    max_redirections = _MOST_REDIRECTIONS


def _opener() -> urllib.request.OpenerDirector:
    """Of http and https alone: what leads on to a file or to FTP ends there."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(), _Redirections(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener


_OPENER = _opener()
