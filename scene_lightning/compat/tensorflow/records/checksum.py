"""Computes CRC-32C, the checksum of record files: by google-crc32c, or where that has no wheel by NumPy, in blocks.

A checksum is linear: it is the exclusive or of what each byte gives at its distance from the end. Tables hold that for
the distances within a block, and what a block's checksum becomes when another block follows.
"""

from __future__ import annotations

import functools

import numpy as np

try:
    from google_crc32c import value as _google
except ImportError:
    _google = None

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, its bits reversed
_BLOCK = 1024


def crc32c(data: bytes) -> int:
    """Computes the CRC-32C of bytes.

    Args:
        data: of any length.
    """
    return by_numpy(data) if _google is None else _google(data)


def by_numpy(data: bytes) -> int:
    """Computes the same without google-crc32c.

    Args:
        data: of any length.
    """
    if len(data) < 4:
        return _one_by_one(data)
    whole = np.zeros(-(-len(data) // _BLOCK) * _BLOCK, dtype=np.uint8)  # zeros before the data change nothing
    whole[len(whole) - len(data) :] = np.frombuffer(data, dtype=np.uint8)
    whole[len(whole) - len(data) :][:4] ^= 0xFF  # the register starts with ones
    places, (low, second, third, high) = _tables()
    blocks = np.bitwise_xor.reduce(places[np.arange(_BLOCK), whole.reshape(-1, _BLOCK)], axis=1)
    crc = 0
    for block in blocks.tolist():
        crc = low[crc & 255] ^ second[crc >> 8 & 255] ^ third[crc >> 16 & 255] ^ high[crc >> 24] ^ block
    return crc ^ 0xFFFFFFFF


def _one_by_one(data: bytes) -> int:
    crc, table = 0xFFFFFFFF, _of_bytes().tolist()
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


@functools.cache
def _of_bytes() -> np.ndarray:
    """(256,) what each byte gives as the last one."""
    table: np.ndarray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = table >> 1 ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


@functools.cache
def _tables() -> tuple[np.ndarray, list[list[int]]]:
    """(_BLOCK, 256) what a byte gives at each place of a block, and (4, 256) each byte of a checksum a block later."""
    last = _of_bytes()
    places = np.empty((_BLOCK, 256), dtype=np.uint32)
    places[-1] = last
    for place in range(_BLOCK - 2, -1, -1):
        places[place] = places[place + 1] >> 8 ^ last[places[place + 1] & 255]
    further = np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32))[:, None]
    for _ in range(_BLOCK):
        further = further >> 8 ^ last[further & 255]
    return places, further.tolist()
