"""Reads the archives of CIFAR-10 and CIFAR-100, in the binary and in the Python version.

The Python version is a pickle, which may run any code: it is read by an unpickler that knows arrays and nothing else.
"""

from __future__ import annotations

import codecs
import io
import os
import pickle
import re
import tarfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from scene_lightning.datasets import _cache
from scene_lightning.errors import DataError

Split = tuple[np.ndarray, np.ndarray]

_ORIGIN = "https://www.cs.toronto.edu/~kriz"
_PIXELS = 3 * 32 * 32
_BATCH = re.compile(r"(data_batch_\d+|test_batch|train|test)(\.bin)?")
_RECONSTRUCT = np.zeros(0).__reduce__()[0]  # NumPy's own function, whichever module holds it
_ARRAY_MAKERS = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,  # bytes, in a pickle of Python 3 in an old protocol
}


def load(
    data_set: str, stem: str, python_folder: str, *, label_bytes: int, label: bytes, label_at: int
) -> tuple[Split, Split]:
    """The data set from the first of its forms that is in the cache.

    Args:
        data_set: Keras' name, for errors.
        stem: what the archives' names begin with.
        python_folder: the folder in the archive of the Python version, also Keras' name for it.
        label_bytes: how many labels stand before each image of the binary version.
        label, label_at: which label, by its key in the Python version and its place in the binary one.
    """
    archives = (f"{stem}-python.tar.gz", f"{stem}-binary.tar.gz", f"{python_folder}.tar.gz", f"{python_folder}.tgz")
    keras3 = (f"{python_folder}-target_archive", f"{python_folder}-target/{python_folder}", python_folder)
    path = _cache.find(data_set, [*archives, *keras3, f"{stem}-batches-bin"], f"{_ORIGIN}/{stem}-python.tar.gz")
    splits: dict[bool, list[Split]] = {False: [], True: []}
    for name, content in sorted(_batches(path)):
        if name.endswith(".bin"):
            images, labels = _from_binary(path, name, content, label_bytes, label_at)
        else:
            images, labels = _from_python(path, name, content, label)
        splits[name.startswith("test")].append((images, labels))
    if not splits[False] or not splits[True]:
        raise DataError(f"{path!r} holds no training or no test images. Expected {data_set} as it is given out.")
    return _joined(splits[False]), _joined(splits[True])


def _batches(path: str) -> Iterator[tuple[str, bytes]]:
    if os.path.isdir(path):
        for name in os.listdir(path):
            if _BATCH.fullmatch(name):
                with open(os.path.join(path, name), "rb") as file:
                    yield name, file.read()
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = os.path.basename(member.name)
                content = archive.extractfile(member) if _BATCH.fullmatch(name) and member.isfile() else None
                if content is not None:
                    yield name, content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path!r} cannot be read as a tar archive: {error}.") from error


def _from_binary(path: str, name: str, content: bytes, label_bytes: int, label_at: int) -> Split:
    whole = np.frombuffer(content, np.uint8)
    if not whole.size or whole.size % (label_bytes + _PIXELS):
        raise DataError(f"{name!r} in {path!r} is cut short: {whole.size} bytes.")
    rows = whole.reshape(-1, label_bytes + _PIXELS)
    return rows[:, label_bytes:], rows[:, label_at]


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ARRAY_MAKERS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which no array needs") from None


def _from_python(path: str, name: str, content: bytes, label: bytes) -> Split:
    try:
        read = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        entries = {key.encode() if isinstance(key, str) else key: value for key, value in read.items()}
        images, labels = np.asarray(entries[b"data"]), np.asarray(entries[label])
    except (pickle.UnpicklingError, KeyError, TypeError, ValueError, AttributeError, EOFError, IndexError) as error:
        raise DataError(f"{name!r} in {path!r} is no batch of images: {error}.") from error
    if images.dtype != np.uint8 or images.size != len(labels) * _PIXELS or labels.dtype.kind not in "iu":
        what = f"{images.dtype} {images.shape}, {len(labels)} labels"
        raise DataError(f"{name!r} in {path!r} is no batch of images: {what}.")
    return images.reshape(-1, _PIXELS), labels.astype(np.uint8)


def _joined(parts: list[Split]) -> Split:
    images = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts])
    return images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), labels[:, None].copy()
