"""Reads groups, attributes and arrays of an HDF5 file, each checked before anything is read or allocated.

HDF5 is a small file system: links can leave the file, a data set can declare terabytes that were never stored, objects
can form cycles. Model files need none of this, so all of it is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from scene_lightning.errors import FileFormatError
from scene_lightning.saving._hdf5_heaps import largest_heap_object

MAX_OBJECTS = 200_000
MAX_DEPTH = 64
MAX_TEXT_BYTES = 2**31
MAX_RANK = 16
# Real weights hardly compress; a file may be packed by hand, but not a hundredfold.
MAX_EXPANSION = 100
SMALL_BYTES = 2**20
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_LARGEST_CHUNK = 2**26  # bytes; HDF5 checks a chunk in memory
_CURE = "Copy or download it again, or save the model anew."
_CHECKSUM = "scene_lightning_sha256"  # of texts, which HDF5 has no checksum for


class SafeFile:
    """One HDF5 file opened for reading, and the budget of bytes and objects that its own size allows.

    Args:
        source: the file's path, or its whole content.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes) -> None:
        content = source if isinstance(source, bytes) else os.fspath(source)
        self._largest_text = largest_heap_object(content)
        self._file_bytes = len(content) if isinstance(content, bytes) else os.path.getsize(content)
        self.file = h5py.File(io.BytesIO(content) if isinstance(content, bytes) else content, "r")
        self._stored_bytes = 0
        self._objects = 0

    def __enter__(self) -> SafeFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.file.close()

    def group(self, parent: h5py.Group, path: str) -> h5py.Group:
        """The group at `path` below `parent`.

        Raises:
            FileFormatError: missing, not a group, or reached through a link that leaves its place.
        """
        group = self._follow(parent, path)
        if not isinstance(group, h5py.Group):
            raise FileFormatError(f"{path!r} should be an HDF5 group; received a {type(group).__name__}.")
        return group

    def array(self, parent: h5py.Group, path: str) -> np.ndarray:
        """The data set at `path` below `parent`, in memory; bfloat16 (which HDF5 lacks) comes as float32."""
        dataset = self._follow(parent, path)
        if not isinstance(dataset, h5py.Dataset):
            raise FileFormatError(f"{path!r} should be an HDF5 data set; received a {type(dataset).__name__}.")
        self._check_dataset(dataset, path)
        try:
            array = np.asarray(dataset[()])
        except OSError as error:
            if not dataset.fletcher32:
                raise
            raise FileFormatError(f"it is damaged: the checksum of {path!r} is wrong. {_CURE}") from error
        if self.attribute(dataset, "dtype") == "bfloat16":
            return (array.view("uint16").astype("uint32") << 16).view("float32").reshape(dataset.shape)
        return array

    def subgroups(self, group: h5py.Group) -> Iterator[tuple[str, h5py.Group]]:
        """(name, group) for each group directly below, data sets left out."""
        for name in group:
            child = self._follow(group, name)
            if isinstance(child, h5py.Group):
                yield name, child

    def attribute(self, owner: Any, name: str) -> Any:
        """An attribute as str, list of str or array; None when missing. Bytes are decoded."""
        if name not in owner.attrs:
            return None
        raw = h5py.h5a.open(owner.id, name.encode())
        if raw.get_type().get_class() not in (h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT):
            raise FileFormatError(f"attribute {name!r} should hold text or numbers.")
        entries = math.prod(raw.shape or ())
        if entries > MAX_OBJECTS or entries * raw.get_type().get_size() > self._file_bytes:
            raise FileFormatError(f"attribute {name!r} declares more bytes than the file has.")
        if entries * self._largest_text > MAX_TEXT_BYTES:  # entries may all point to one text
            raise FileFormatError(
                f"attribute {name!r} could hold {entries * self._largest_text} bytes of text: a bomb."
            )
        return _decoded(owner.attrs[name])

    def check_texts(self, names: Sequence[str]) -> None:
        """Compare the root's texts with the checksum that `write_checksum` wrote, where there is one.

        Raises:
            FileFormatError: they are not those that were written.
        """
        texts = {name: self.attribute(self.file, name) for name in names}
        if self.attribute(self.file, _CHECKSUM) not in (None, _checksum(texts)):
            raise FileFormatError(
                f"it is damaged: the checksum of its texts is wrong. {_CURE} If you changed one on purpose, delete its "
                f"attribute {_CHECKSUM!r}."
            )

    def names(self, owner: h5py.Group, name: str) -> list[str]:
        """A list of strings, put together again where Keras split it over `name0`, `name1` … (64 KB limit of HDF5)."""
        whole = self.attribute(owner, name)
        if whole is not None:
            return _as_names(whole, name)
        parts: list[str] = []
        number = 0
        while (part := self.attribute(owner, f"{name}{number}")) is not None:
            parts += _as_names(part, name)
            number += 1
        return parts

    def _follow(self, parent: h5py.Group, path: str) -> Any:
        current: Any = parent
        steps = path.split("/")
        if len(steps) > MAX_DEPTH:
            raise FileFormatError(f"the path {path[:80]!r}… is too deep.")
        for step in steps:
            if step in ("", ".", "..") or not isinstance(current, h5py.Group):
                raise FileFormatError(f"{path!r} is not a path inside the file.")
            link = current.get(step, getlink=True) if step in current or _is_dangling(current, step) else None
            if link is None:
                raise FileFormatError(f"{path!r} is missing from the file.")
            if not isinstance(link, h5py.HardLink):
                raise FileFormatError(f"{path!r} is a {type(link).__name__}; links are refused in model files.")
            current = current[step]
            self._objects += 1
            if self._objects > MAX_OBJECTS:
                raise FileFormatError(f"more than {MAX_OBJECTS} objects, or a cycle of links.")
        return current

    def _check_dataset(self, dataset: h5py.Dataset, path: str) -> None:
        if dataset.dtype.kind not in "biuf" and not (dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2):
            raise FileFormatError(f"{path!r} holds {dataset.dtype}; expected plain numbers.")
        if dataset.shape is None or len(dataset.shape) > MAX_RANK:
            raise FileFormatError(f"{path!r} has shape {dataset.shape}; expected at most {MAX_RANK} axes.")
        if dataset.is_virtual or dataset.external:
            raise FileFormatError(f"{path!r} keeps its numbers in another file, which is refused.")
        declared = dataset.dtype.itemsize * math.prod(dataset.shape)
        stored = dataset.id.get_storage_size()
        self._stored_bytes += stored
        if stored > self._file_bytes or self._stored_bytes > self._file_bytes:
            raise FileFormatError(f"{path!r} claims more stored bytes than the file has.")
        if dataset.chunks is None and declared != stored:
            raise FileFormatError(
                f"{path!r} declares {declared} bytes but {stored} are stored; the file is incomplete."
            )
        if dataset.chunks is not None:
            self._check_chunks(dataset, path, declared, stored)

    def _check_chunks(self, dataset: h5py.Dataset, path: str, declared: int, stored: int) -> None:
        chunk_bytes = dataset.dtype.itemsize * math.prod(dataset.chunks)
        if max(declared, chunk_bytes) > SMALL_BYTES + MAX_EXPANSION * stored:
            raise FileFormatError(f"{path!r} declares {declared} bytes but only {stored} are stored: a bomb.")
        plist = dataset.id.get_create_plist()
        filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
        if not filters:
            return
        if any(code not in (_DEFLATE, _SHUFFLE, _FLETCHER32) for code in filters) or filters.count(_DEFLATE) > 1:
            raise FileFormatError(f"{path!r} is packed in an unusual way; expected plain or gzip. Repack the file.")
        if _DEFLATE in filters:
            # HDF5 lets a chunk inflate without limit, so each is tried here with one.
            for index in range(dataset.id.get_num_chunks()):
                info = dataset.id.get_chunk_info(index)
                if info.size > stored:
                    raise FileFormatError(f"{path!r} has a chunk larger than the data set.")
                packed = dataset.id.read_direct_chunk(info.chunk_offset)[1]
                if len(zlib.decompressobj().decompress(packed, chunk_bytes + 1024)) > chunk_bytes + 4:
                    raise FileFormatError(f"{path!r} has a chunk that inflates beyond its size: a bomb.")


def write_array(group: h5py.Group, path: str, array: np.ndarray) -> None:
    """Write an array as a data set with HDF5's own checksum, Fletcher-32, which every reader of the file checks.

    A single number and an empty array have none: HDF5 keeps it by chunks, which they do not have.

    Args:
        group: the group.
        path: of the data set, below the group.
        array: its values.
    """
    array = np.asarray(array)
    if array.size == 0 or array.ndim == 0:
        group.create_dataset(path, data=array)
        return
    chunks = array.shape if array.nbytes <= _LARGEST_CHUNK else True
    group.create_dataset(path, data=array, chunks=chunks, fletcher32=True)


def write_checksum(file: h5py.File, names: Sequence[str]) -> None:
    """Write a checksum of the root's texts, for `SafeFile.check_texts`; Keras does not look at it.

    Args:
        file: the file, its attributes written.
        names: of the attributes.
    """
    file.attrs[_CHECKSUM] = _checksum({name: file.attrs.get(name) for name in names})


def _checksum(texts: Mapping[str, Any]) -> str:
    given = {name: text for name, text in texts.items() if isinstance(text, str)}
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def write_names(owner: h5py.Group, name: str, values: list[str], limit: int = 64512) -> None:
    """Write a list of strings as an attribute, split over `name0`, `name1` … above HDF5's header limit, as Keras does.

    Args:
        owner: the group.
        name: the attribute.
        values: the strings.
        limit: bytes in one attribute.
    """
    encoded = np.asarray([value.encode() for value in values])
    if not values:
        owner.attrs[name] = []
        return
    parts = 1
    while any(part.nbytes > limit for part in np.array_split(encoded, parts)):
        parts += 1
    if parts == 1:
        owner.attrs[name] = [value.encode() for value in values]
        return
    for number, part in enumerate(np.array_split(encoded, parts)):
        owner.attrs[f"{name}{number}"] = part


def _is_dangling(group: h5py.Group, name: str) -> bool:
    """A soft or external link without a target: `in` is False for it, and yet it is there, to be refused."""
    return bool(group.id.links.exists(name.encode()))


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes | np.bytes_):
        return bytes(value).decode("utf-8")
    if isinstance(value, np.ndarray) and value.dtype.kind in "OS":
        return [item.decode("utf-8") if isinstance(item, bytes) else str(item) for item in value.ravel()]
    return str(value) if isinstance(value, str) else value


def _as_names(value: Any, name: str) -> list[str]:
    if isinstance(value, np.ndarray) and value.size == 0:
        return []
    if isinstance(value, list):
        return value
    raise FileFormatError(f"attribute {name!r} should be a list of strings.")
