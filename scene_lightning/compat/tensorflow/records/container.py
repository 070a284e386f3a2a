"""Reads and writes the container of `.tfrecord` files: a length, its checksum, the bytes, their checksum, and so on.

Source: tensorflow/core/lib/io/record_writer.h. Checksums are CRC-32C, masked.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import google_crc32c

from scene_lightning.compat.tensorflow.text import as_text
from scene_lightning.errors import DataError, InputError
from scene_lightning.utils.text import Bytes

_CHUNK = 1 << 20
_KINDS = ("", "GZIP", "ZLIB")


class TFRecordCompressionType:
    """TensorFlow 1's numbers of the compressions. TensorFlow: `tf.compat.v1.io.TFRecordCompressionType`."""

    NONE, ZLIB, GZIP = 0, 1, 2


class TFRecordOptions:
    """How record files are compressed. TensorFlow: `tf.io.TFRecordOptions`.

    Args:
        compression_type: "", "GZIP" or "ZLIB", or one of `TFRecordCompressionType`.
        compression_level: zlib's, 0 to 9.
        flush_mode, input_buffer_size, output_buffer_size, window_bits: for TensorFlow's sake, without effect.
        compression_method, mem_level, compression_strategy: for TensorFlow's sake, without effect.
    """

    def __init__(
        self, compression_type: Any = None, flush_mode: Any = None, input_buffer_size: Any = None,
        output_buffer_size: Any = None, window_bits: Any = None, compression_level: Any = None,
        compression_method: Any = None, mem_level: Any = None, compression_strategy: Any = None,
    ) -> None:  # fmt: skip
        self.compression_type = compression_named(compression_type)
        self.compression_level = 6 if compression_level is None else int(compression_level)


def compression_named(kind: Any) -> str:
    """Gives "", "GZIP" or "ZLIB" for a compression. Raises InputError for another.

    Args:
        kind: any of TensorFlow's spellings: a name, a number, None or a `TFRecordOptions`.
    """
    if isinstance(kind, TFRecordOptions):
        return kind.compression_type
    name = {None: "", 0: "", 1: "ZLIB", 2: "GZIP"}.get(kind, kind) if kind is None or isinstance(kind, int) else kind
    if as_text(name) not in _KINDS:
        raise InputError(f"Not a valid compression_type: {kind!r}. Expected one of {_KINDS}.")
    return str(as_text(name))


class _Inflated:
    """A ZLIB file as a stream of what it holds."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._held = file, b""
        self._inflate = zlib.decompressobj()

    def read(self, count: int) -> bytes:
        while len(self._held) < count:
            chunk = self._file.read(_CHUNK)
            self._held += self._inflate.decompress(chunk) if chunk else self._inflate.flush()
            if not chunk:
                break
        data, self._held = self._held[:count], self._held[count:]
        return data

    def close(self) -> None:
        self._file.close()


def _open(path: str, kind: str) -> Any:
    if path.startswith("gs://"):
        raise InputError(f"{path!r} lies in Google's cloud: copy the files (gsutil cp) and give their local path.")
    if kind == "GZIP":
        return gzip.open(path, "rb")
    file = open(path, "rb", buffering=_CHUNK)  # noqa: SIM115 (read_records closes it)
    return _Inflated(file) if kind == "ZLIB" else file


def read_lines(path: str, compression: str = "") -> Iterator[bytes]:
    """Reads the lines of one file, without their ends. Raises FileNotFoundError.

    Args:
        path: the file's.
        compression: "", "GZIP" or "ZLIB".
    """
    file, held = _open(path, compression), b""
    try:
        while chunk := file.read(_CHUNK):
            *lines, held = (held + chunk).split(b"\n")
            yield from (line.removesuffix(b"\r") for line in lines)
        if held:
            yield held
    finally:
        file.close()


def read_records(path: str, compression: str = "") -> Iterator[Bytes]:
    """Reads the records of one file, in order.

    Args:
        path: the file's.
        compression: "", "GZIP" or "ZLIB".

    Raises:
        FileNotFoundError: there is no such file.
        DataError: a checksum is wrong, or the file ends within a record; the message has the file and the offset.
    """
    file, offset = _open(path, compression), 0

    def take(count: int, what: str) -> bytes:
        parts, left = [], count
        try:
            while left and (part := file.read(min(left, _CHUNK))):  # a length that lies must not reserve memory
                parts.append(part)
                left -= len(part)
        except (zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise DataError(f"{path!r} is not a whole {compression} file: {error}") from error
        data = b"".join(parts)
        if left and (data or what != "length"):
            raise DataError(f"truncated record at {offset} in {path!r}: the file ends within the {what}.")
        return data

    def checked(data: bytes, what: str) -> bytes:
        stored = take(4, f"checksum of the {what}")
        if struct.unpack("<I", stored)[0] != _masked(data):
            hint = "" if offset else _hint(path)
            raise DataError(f"corrupted record at {offset} in {path!r}: the checksum of its {what} is wrong.{hint}")
        return data

    try:
        while header := take(8, "length"):
            length = struct.unpack("<Q", checked(header, "length"))[0]
            data = checked(take(length, "data"), "data")
            yield Bytes(data)
            offset += 16 + length
    finally:
        file.close()


def _hint(path: str) -> str:
    with open(path, "rb") as file:
        start = file.read(2)
    zlib_starts = dict.fromkeys((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), "ZLIB")
    kind = {b"\x1f\x8b": "GZIP", **zlib_starts}.get(start)
    return f' It looks compressed: give compression_type="{kind}".' if kind else " Is it a record file at all?"


def _masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


class TFRecordWriter:
    """Writes records into a file, as they come: a reader sees what was flushed. TensorFlow: `tf.io.TFRecordWriter`.

    Args:
        path: of the file, which is replaced.
        options: a `TFRecordOptions`, or "GZIP" or "ZLIB".
    """

    def __init__(self, path: Any, options: Any = None) -> None:
        kind = compression_named(options)
        level = options.compression_level if isinstance(options, TFRecordOptions) else 6
        self._file: Any = open(os.fspath(as_text(path)), "wb")  # noqa: SIM115 (close() closes it)
        self._deflate: Any = None
        if kind:
            self._deflate = zlib.compressobj(level, wbits=31 if kind == "GZIP" else 15)

    def write(self, record: Any) -> None:
        """Append one record: bytes, such as `example.SerializeToString()`."""
        if isinstance(record, str):
            record = record.encode()
        if not isinstance(record, bytes | bytearray | memoryview):
            raise TypeError(f"Expected a record as bytes; received {type(record).__name__}.")
        data = bytes(record)
        header = struct.pack("<Q", len(data))
        whole = header + struct.pack("<I", _masked(header)) + data + struct.pack("<I", _masked(data))
        self._file.write(self._deflate.compress(whole) if self._deflate else whole)

    def flush(self) -> None:
        """Write what is waiting to the file."""
        if self._deflate:
            self._file.write(self._deflate.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """Finish the file; a second call does nothing."""
        if not self._file.closed:
            if self._deflate:
                self._file.write(self._deflate.flush())
            self._file.close()

    def __enter__(self) -> TFRecordWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.close()


def tf_record_iterator(path: Any, options: Any = None) -> Iterator[bytes]:
    """Reads the records of one file. TensorFlow 1: `tf.python_io.tf_record_iterator`.

    Args:
        path: the file's.
        options: a `TFRecordOptions`; None for no compression.
    """
    return read_records(as_text(path), compression_named(options))


__all__ = ["TFRecordCompressionType", "TFRecordOptions", "TFRecordWriter", "tf_record_iterator"]
