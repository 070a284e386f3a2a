"""Writes a dataset's elements into a folder, and reads them again: `Dataset.save`, `Dataset.load`.

The folder holds `dataset.json` (the elements' structure, written last) and, in a folder of the run that wrote them,
NumPy's .npz files of up to some hundred elements each. Nothing in them is ever executed: no pickles.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scene_lightning._atomic_write import atomic_write
from scene_lightning._usage_report import ledger
from scene_lightning.errors import DataError, InputError
from scene_lightning.utils.dataset_base import INFINITE, DatasetBase
from scene_lightning.utils.text import Text

_FORMAT = 1
_INDEX = "dataset.json"
_CHUNK_BYTES, _CHUNK_ELEMENTS = 64 * 2**20, 512


class Filed(DatasetBase):
    """`save` and `load` of a dataset; mixed into `Dataset`."""

    def save(
        self, path: str | os.PathLike[str], compression: str | None = None, shard_func: Any = None,
        checkpoint_args: Any = None,
    ) -> None:  # fmt: skip
        """Write all elements into a folder. TensorFlow: `Dataset.save`.

        Args:
            path: the folder; it is made where it is not there.
            compression: "GZIP" packs the elements; None does not.
            shard_func: without effect: elements are written in their order.
            checkpoint_args: without effect.

        Raises:
            InputError: a dataset without end, or elements of different structure.
        """
        if self._length == INFINITE:
            raise InputError("This dataset has no end, so it cannot be saved. Cut it with take(count) first.")
        if compression not in (None, "AUTO", "GZIP", "NONE", ""):
            raise InputError(f'compression must be None or "GZIP"; received {compression!r}.')
        for name, given in (("shard_func", shard_func), ("checkpoint_args", checkpoint_args)):
            if given is not None:
                ledger.ignore(f"Dataset.save({name}=)", "the elements are written in their order")
        folder = Path(os.fspath(path))
        run = folder / uuid.uuid4().hex
        run.mkdir(parents=True)
        try:
            index = _write(iter(self), run, np.savez_compressed if compression == "GZIP" else np.savez)
            index.update(batch_size=self._batch_size, samples=self._samples)
            index.update(class_names=self.class_names, image_info=self.image_info)
            with atomic_write(folder / _INDEX) as temporary:
                temporary.write_text(json.dumps({"format": _FORMAT, "run": run.name, **index}), encoding="utf-8")
        except BaseException:
            shutil.rmtree(run, ignore_errors=True)
            raise
        for other in folder.iterdir():  # what an earlier save left
            if other.is_dir() and other != run and len(other.name) == 32:
                shutil.rmtree(other, ignore_errors=True)

    @classmethod
    def load(
        cls: Any,
        path: str | os.PathLike[str],
        element_spec: Any = None,
        compression: str | None = None,
        reader_func: Callable[[Any], Any] | None = None,
    ) -> Any:
        """A dataset from the folder that `save` wrote, read file by file. TensorFlow: `Dataset.load`.

        Args:
            path: the folder.
            element_spec: not needed: the folder says it.
            compression: not needed, either.
            reader_func: makes the dataset from a dataset of datasets, one a file, such as to mix the files.

        Raises:
            DataError: no such folder, or one that TensorFlow or a damaged disk made.
        """
        folder = Path(os.fspath(path))
        index = _index(folder)
        files = [(folder / index["run"] / f"{number:05d}.npz", count) for number, count in enumerate(index["counts"])]
        structure, kinds = index["structure"], index["kinds"]

        def part(file: Path, count: int) -> Any:
            made = cls(lambda _: _read(file, count, structure, kinds), count, index["batch_size"])
            made.class_names, made.image_info = index["class_names"], index["image_info"]
            return made

        if reader_func is not None:
            return reader_func(cls(lambda _: (part(file, count) for file, count in files), len(files)))

        def make(_: int) -> Iterator[Any]:
            for file, count in files:
                yield from _read(file, count, structure, kinds)

        made = cls(make, sum(index["counts"]), index["batch_size"], index["samples"])
        made.class_names, made.image_info = index["class_names"], index["image_info"]
        return made


def _write(elements: Iterator[Any], folder: Path, save: Callable[..., None]) -> dict[str, Any]:
    structure: Any = None
    kinds: list[str] = []
    counts: list[int] = []
    held: list[list[np.ndarray]] = []
    size = 0

    def flush() -> None:
        nonlocal size
        if held:
            save(folder / f"{len(counts):05d}.npz", **_members(held))
            counts.append(len(held))
            held.clear()
            size = 0

    for number, element in enumerate(elements):
        leaves: list[Any] = []
        own = _structure(element, leaves)
        arrays, own_kinds = [_array(leaf) for leaf in leaves], [_kind(leaf) for leaf in leaves]
        if number == 0:
            structure, kinds = own, own_kinds
        elif (own, own_kinds) != (structure, kinds):
            raise InputError(
                f"The elements of a dataset that is saved have one structure. Element {number} has {own_kinds}, the "
                f"first {kinds}. Bring them into one form with map() first."
            )
        held.append(arrays)
        size += sum(array.nbytes for array in arrays)
        if size >= _CHUNK_BYTES or len(held) >= _CHUNK_ELEMENTS:
            flush()
    flush()
    return {"structure": structure, "kinds": kinds, "counts": counts}


def _members(held: list[list[np.ndarray]]) -> dict[str, np.ndarray]:
    """One array a leaf where all are of one shape, else one for each element."""
    members: dict[str, np.ndarray] = {}
    for leaf, column in enumerate(zip(*held, strict=True)):
        if len({array.shape for array in column}) == 1:
            members[str(leaf)] = np.stack(column)
        else:
            members.update({f"{leaf}_{number}": array for number, array in enumerate(column)})
    return members


def _read(file: Path, count: int, structure: Any, kinds: list[str]) -> Iterator[Any]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            members = {name: stored[name] for name in stored.files}
        for number in range(count):
            arrays = [
                members[str(leaf)][number] if str(leaf) in members else members[f"{leaf}_{number}"]
                for leaf in range(len(kinds))
            ]
            yield _rebuilt(structure, [_leaf(array, kind) for array, kind in zip(arrays, kinds, strict=True)])
    except (OSError, ValueError, LookupError, zipfile.BadZipFile) as error:
        raise DataError(f"Cannot read the saved dataset's file {str(file)!r}: {error}. Save it again.") from error


def _index(folder: Path) -> dict[str, Any]:
    cure = "Expected a folder that Dataset.save() of this package wrote; make the dataset anew and save it."
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    except FileNotFoundError:
        made_by = (
            "TensorFlow saved it, in its own form" if (folder / "dataset_spec.pb").exists() else f"no {_INDEX} in it"
        )
        raise DataError(f"Cannot load a dataset from {str(folder)!r}: {made_by}. {cure}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot load a dataset from {str(folder)!r}: {error}. {cure}") from error
    required = {"format", "run", "structure", "kinds", "counts", "batch_size", "samples", "class_names", "image_info"}
    if not isinstance(index, dict) or not required <= set(index) or index["format"] != _FORMAT:
        raise DataError(f"Cannot load a dataset from {str(folder)!r}: its {_INDEX} is damaged or newer. {cure}")
    if os.path.basename(str(index["run"])) != index["run"]:
        raise DataError(f"Cannot load a dataset from {str(folder)!r}: its {_INDEX} points outside. {cure}")
    return index


# -- elements ----------------------------------------------------------------------------------------------------------


def _structure(element: Any, leaves: list[Any]) -> Any:
    """How an element nests, as JSON; its leaves are added to `leaves`."""
    if isinstance(element, tuple):
        return {"tuple": [_structure(item, leaves) for item in element]}
    if isinstance(element, Mapping):
        return {"dict": {str(key): _structure(item, leaves) for key, item in element.items()}}
    if element is None:
        return None
    leaves.append(element)
    return len(leaves) - 1


def _rebuilt(structure: Any, leaves: list[Any]) -> Any:
    if structure is None:
        return None
    if isinstance(structure, int):
        return leaves[structure]
    if "tuple" in structure:
        return tuple(_rebuilt(item, leaves) for item in structure["tuple"])
    return {key: _rebuilt(item, leaves) for key, item in structure["dict"].items()}


def _kind(leaf: Any) -> str:
    if isinstance(leaf, torch.Tensor):
        return str(leaf.dtype).removeprefix("torch.")
    if isinstance(leaf, bytes):
        return "bytes"
    return "text" if isinstance(leaf, str) else "texts"


def _array(leaf: Any) -> np.ndarray:
    if isinstance(leaf, torch.Tensor):
        held = leaf.detach().cpu()
        return (held.float() if held.dtype == torch.bfloat16 else held).numpy()
    if isinstance(leaf, bytes):
        return np.frombuffer(leaf, dtype=np.uint8)  # NumPy's own bytes lose zeros at their end
    if isinstance(leaf, str):
        return np.asarray(str(leaf))
    array = np.asarray(leaf)
    if array.dtype.kind in "SO":
        array = np.asarray([item.decode() if isinstance(item, bytes) else str(item) for item in array.ravel()]).reshape(
            array.shape
        )
    return array


def _leaf(array: Any, kind: str) -> Any:
    if kind == "bytes":
        return np.asarray(array, dtype=np.uint8).tobytes()
    if kind == "text":
        return Text(array)
    if kind == "texts":
        return np.asarray(array)
    dtype = getattr(torch, kind, None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"it names the dtype {kind!r}")
    return torch.from_numpy(np.array(array)).to(dtype)
