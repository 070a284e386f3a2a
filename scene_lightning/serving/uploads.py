"""Reads the photographs of a request into memory, within the limits; nothing is written to disk."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from scene_lightning.pages.page import printable
from scene_lightning.serving.clients import Room, client_of
from scene_lightning.serving.limits import Limits, RefusedError, in_megabytes

_EXPECTED = "Photographs as a multipart form (multipart/form-data), or the bytes of one (image/jpeg, image/png, …)."
_CURE = "curl -F files=@photo.jpg ADDRESS/predict, or curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg …"
_LONGEST_NAME = 120


@dataclass(frozen=True)
class Upload:
    """One photograph of a request.

    Attributes:
        name: as the client calls it; "" where it says nothing.
        content: all bytes of the file.
    """

    name: str
    content: bytes


class _InMemory(MultiPartParser):
    spool_max_size = sys.maxsize  # Starlette's parser moves a file above a megabyte to the disk


class Uploads:
    """Reads requests' bodies; knows how many bytes of them are in memory.

    Args:
        limits: what is accepted at most.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.room = Room("photographs in memory", limits.bytes_under_way, limits.share_of_a_client)

    @asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator[list[Upload]]:
        """The photographs of a request, within the block.

        Args:
            request: of multipart/form-data, or an image's bytes.

        Raises:
            RefusedError: too large, too slow, too many, of another type, or no photograph at all.
        """
        kind = _kind_of(request)
        reader = _Reader(request, self)
        try:
            async with asyncio.timeout(self._limits.seconds_for_body):
                uploads = await (self._form(request, reader) if kind == "form" else self._one(reader))
        except TimeoutError:
            seconds = self._limits.seconds_for_body
            received = f"{in_megabytes(reader.received)} in that time."
            expected = f"The whole request within {seconds:g} s."
            raise RefusedError(408, expected, received, "Send smaller photographs, or fewer at once.") from None
        except ClientDisconnect:
            raise RefusedError(
                400, "The whole request.", "A part of it; the client hung up.", "Send it again."
            ) from None
        else:
            yield uploads
        finally:
            self.room.leave(reader.client, reader.received)

    async def _one(self, reader: _Reader) -> list[Upload]:
        return [Upload("", b"".join([chunk async for chunk in reader.chunks(self._limits)]))]

    async def _form(self, request: Request, reader: _Reader) -> list[Upload]:
        parser = _InMemory(request.headers, reader.chunks(self._limits), max_files=self._limits.files, max_fields=20)
        try:
            form = await parser.parse()
        except MultiPartException as error:
            if error.message.startswith("Too many files"):
                expected = f"At most {self._limits.files} photographs in a request."
                raise RefusedError(413, expected, "More.", "Send several requests.") from None
            raise RefusedError(400, _EXPECTED, f"A damaged form: {error.message}", _CURE) from None
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if not files:
            fields = ", ".join(printable(name)[:_LONGEST_NAME] for name in form) or "nothing"
            raise RefusedError(400, _EXPECTED, f"A form without files; its fields: {fields}.", _CURE)
        return [Upload(_name_of(file), await file.read()) for file in files]


class _Reader:
    """Reads a body piece by piece, and counts."""

    def __init__(self, request: Request, uploads: Uploads) -> None:
        self._request, self._room = request, uploads.room
        self.client, self.received = client_of(request), 0

    async def chunks(self, limits: Limits) -> AsyncGenerator[bytes, None]:
        """The body's pieces. Raises RefusedError beyond the limits; what was said to be too long is not awaited."""
        declared = self._request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limits.upload_bytes:
            await self._discard(limits)
            raise _too_long(in_megabytes(int(declared)), limits)
        async for chunk in self._request.stream():
            self._room.take(self.client, len(chunk))
            self.received += len(chunk)
            if self.received > limits.upload_bytes:
                await self._discard(limits)
                raise _too_long("more", limits)
            yield chunk

    async def _discard(self, limits: Limits) -> None:
        """Read on for a moment: most clients look for an answer only when they have sent everything."""
        left = 2 * limits.upload_bytes
        try:
            async with asyncio.timeout(2):
                async for chunk in self._request.stream():
                    left -= len(chunk)
                    if left < 0:
                        return
        except (TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: the stream was read to its end
            return


def _too_long(size: str, limits: Limits) -> RefusedError:
    expected = f"At most {in_megabytes(limits.upload_bytes)} a request."
    return RefusedError(
        413, expected, f"{size[0].upper()}{size[1:]}.", "Make the photographs smaller, or send fewer at once."
    )


def _kind_of(request: Request) -> str:
    """ "form" or "bytes". Raises RefusedError for other types, before the body is read."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").lower()
    if coding != "identity":
        cure = "Send the file as it is: photographs are compressed already."
        raise RefusedError(415, "A body without Content-Encoding.", f"One in {printable(coding)[:40]!r}.", cure)
    if kind == "multipart/form-data":
        return "form"
    if kind.startswith("image/") or kind in ("application/octet-stream", ""):
        return "bytes"
    raise RefusedError(415, _EXPECTED, f"{printable(kind)[:80]}.", _CURE)


def _name_of(file: UploadFile) -> str:
    """The name without folders, fit for a terminal and a page."""
    return printable((file.filename or "").replace("\\", "/").rpartition("/")[2])[:_LONGEST_NAME]
