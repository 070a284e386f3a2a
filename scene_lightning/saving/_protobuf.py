"""Reads protocol buffers as (field, value) pairs: the few lines of the wire format that TensorFlow's files need."""

from __future__ import annotations

from collections.abc import Iterator

from scene_lightning.errors import FileFormatError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The variable-length integer at `at` and the position behind it.

    Args:
        data: the message.
        at: where the number begins.

    Raises:
        FileFormatError: it runs over the end or is longer than 64 bits.
    """
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise FileFormatError("a number runs over the end of its block.")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
    raise FileFormatError("a number is longer than 64 bits.")


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field of one message: its number, and an integer or the bytes of a string or sub-message.

    Args:
        data: the message.

    Raises:
        FileFormatError: a field runs over the end, or has a type that no message uses.
    """
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = varint(data, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise FileFormatError(f"a field has wire type {kind}, which TensorFlow does not write.")
        if size > len(data) - at:
            raise FileFormatError("a field runs over the end of its message.")
        part = data[at : at + size]
        at += size
        yield tag >> 3, part if kind == _BYTES else int.from_bytes(part, "little")


def text(value: int | bytes) -> str:
    """A string field.

    Args:
        value: the value of a field.
    """
    if not isinstance(value, bytes):
        raise FileFormatError("a text field holds a number.")
    return value.decode("utf-8")


def number(value: int | bytes) -> int:
    """An integer field; negative ones come as two's complement.

    Args:
        value: the value of a field.
    """
    if not isinstance(value, int):
        raise FileFormatError("a number field holds bytes.")
    return value - 2**64 if value >= 2**63 else value
