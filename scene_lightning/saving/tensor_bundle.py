"""Reads the arrays of TensorFlow's checkpoint pair (`variables.index`, `variables.data-…`), without TensorFlow.

The index is a sorted table in LevelDB's layout: a 48-byte footer points to an index block, which points to data
blocks of prefix-compressed keys. The empty key holds the bundle's header, each other key where a tensor lies.
Every offset and size is held against the files before it is used.
Source: tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io/table_format.txt.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scene_lightning.errors import FileFormatError
from scene_lightning.saving import _protobuf

_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_FOOTER_BYTES = 48
_BLOCK_TRAILER_BYTES = 5  # compression type, crc32c
MAX_INDEX_BYTES = 64 * 2**20
MAX_ENTRIES = 200_000
MAX_KEY_BYTES = 4096
_STRING = 7
_DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 9: "int64", 10: "bool", 14: "bfloat16",
    17: "uint16", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip


@dataclass
class _Entry:
    dtype: int = 0
    shape: list[int] = field(default_factory=list)
    shard: int = 0
    offset: int = 0
    size: int = 0


class TensorBundle:
    """The tensors of one checkpoint, read one by one on demand.

    Args:
        prefix: path without ending: "<folder>/variables/variables".
    """

    def __init__(self, prefix: str | os.PathLike[str]) -> None:
        self._prefix = os.fspath(prefix)
        index = Path(f"{self._prefix}.index")
        if index.stat().st_size > MAX_INDEX_BYTES:
            raise FileFormatError(f"its index has {index.stat().st_size} bytes; expected at most {MAX_INDEX_BYTES}.")
        self._entries: dict[str, _Entry] = {}
        self._shards = 1
        self._read_bytes = 0
        for key, value in _table(index.read_bytes()):
            if key == b"":
                self._shards = next((_protobuf.number(v) for k, v in _protobuf.fields(value) if k == 1), 1)
            else:
                self._entries[key.decode("utf-8")] = _entry(value)
        if not 1 <= self._shards <= 10_000:
            raise FileFormatError(f"its index speaks of {self._shards} data files.")
        shards = (Path(self._shard_path(number)) for number in range(self._shards))
        self._data_bytes = sum(shard.stat().st_size for shard in shards if shard.is_file())

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def keys(self) -> list[str]:
        """All keys, in the index's order."""
        return list(self._entries)

    def array(self, key: str) -> np.ndarray:
        """The tensor under `key`; bfloat16 comes as float32.

        Raises:
            FileFormatError: no such key, not numbers, or sizes that do not fit the files.
        """
        entry = self._entry(key)
        name = _DTYPES.get(entry.dtype)
        if name is None:
            raise FileFormatError(f"{key!r} has TensorFlow's type {entry.dtype}; expected plain numbers.")
        stored = np.dtype("uint16" if name == "bfloat16" else name).newbyteorder("<")
        if len(entry.shape) > 16 or any(side < 0 for side in entry.shape):
            raise FileFormatError(f"{key!r} has shape {entry.shape[:20]}.")
        if math.prod(entry.shape) * stored.itemsize != entry.size:
            raise FileFormatError(f"{key!r} of shape {entry.shape} should have other than {entry.size} bytes.")
        flat = np.frombuffer(self._bytes(key, entry), dtype=stored)
        if name == "bfloat16":
            flat = (flat.astype("uint32") << 16).view("float32")
        return flat.astype(flat.dtype.newbyteorder("="), copy=True).reshape(entry.shape)

    def string(self, key: str) -> bytes:
        """The scalar string tensor under `key` (length, 4 bytes of checksum, text)."""
        entry = self._entry(key)
        if entry.dtype != _STRING or entry.shape:
            raise FileFormatError(f"{key!r} should be one string.")
        raw = self._bytes(key, entry)
        size, at = _protobuf.varint(raw, 0)
        if size != len(raw) - at - 4:
            raise FileFormatError(f"{key!r} should have {size} bytes of text; the file has {len(raw) - at - 4}.")
        return raw[at + 4 :]

    def _entry(self, key: str) -> _Entry:
        if key not in self._entries:
            raise FileFormatError(f"its index has no {key!r}.")
        return self._entries[key]

    def _shard_path(self, shard: int) -> str:
        return f"{self._prefix}.data-{shard:05d}-of-{self._shards:05d}"

    def _bytes(self, key: str, entry: _Entry) -> bytes:
        if not 0 <= entry.shard < self._shards:
            raise FileFormatError(f"{key!r} lies in data file {entry.shard} of {self._shards}.")
        path = Path(self._shard_path(entry.shard))
        if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size > path.stat().st_size:
            raise FileFormatError(f"{key!r} lies outside its data file; the file is incomplete.")
        self._read_bytes += entry.size
        if self._read_bytes > self._data_bytes * 2:  # a variable may be listed twice, not a thousand times
            raise FileFormatError("its tensors claim more bytes than the data files have.")
        with open(path, "rb") as handle:
            handle.seek(entry.offset)
            data = handle.read(entry.size)
        if len(data) != entry.size:
            raise FileFormatError(f"{key!r} lies outside its data file; the file is incomplete.")
        return data


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each entry of a table file."""
    if len(data) < _FOOTER_BYTES or data[-8:] != _MAGIC:
        raise FileFormatError("its index does not end as TensorFlow's do; it is incomplete or of another kind.")
    footer = data[-_FOOTER_BYTES:]
    at = 0
    for _ in range(2):  # the handle of the meta-index, which is not needed
        _, at = _protobuf.varint(footer, at)
    handle, _ = _handle(footer, at)
    count = 0
    for _, pointer in _block(data, *handle):
        for entry in _block(data, *_handle(pointer, 0)[0]):
            count += 1
            if count > MAX_ENTRIES:
                raise FileFormatError(f"its index has more than {MAX_ENTRIES} entries.")
            yield entry


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = _protobuf.varint(data, at)
    size, at = _protobuf.varint(data, at)
    return (offset, size), at


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of one block: (bytes shared with the key before, bytes of its own, bytes of value), key rest, value."""
    if offset + size + _BLOCK_TRAILER_BYTES > len(data) or size < 4:
        raise FileFormatError("a block of its index lies outside the file.")
    if data[offset + size] != 0:
        raise FileFormatError("its index is compressed, which TensorFlow does not do for checkpoints.")
    block = data[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    end = size - 4 - 4 * restarts
    if end < 0:
        raise FileFormatError("a block of its index has more restart points than bytes.")
    key, at = b"", 0
    while at < end:
        shared, at = _protobuf.varint(block, at)
        own, at = _protobuf.varint(block, at)
        value_size, at = _protobuf.varint(block, at)
        if shared > len(key) or at + own + value_size > end or shared + own > MAX_KEY_BYTES:
            raise FileFormatError("an entry of its index runs over the end of its block.")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + value_size]
        at += value_size


def _entry(data: bytes) -> _Entry:
    """A BundleEntryProto: 1 dtype, 2 shape, 3 shard, 4 offset, 5 size."""
    entry = _Entry()
    for key, value in _protobuf.fields(data):
        if key == 2 and isinstance(value, bytes):
            entry.shape = [_dimension(part) for number, part in _protobuf.fields(value) if number == 2]
        elif key in (1, 3, 4, 5):
            setattr(entry, {1: "dtype", 3: "shard", 4: "offset", 5: "size"}[key], _protobuf.number(value))
    return entry


def _dimension(data: int | bytes) -> int:
    if not isinstance(data, bytes):
        raise FileFormatError("a shape in its index is damaged.")
    return next((_protobuf.number(value) for key, value in _protobuf.fields(data) if key == 1), 0)
