"""Maps, stacks and describes the tensors in a dataset's elements."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch

from scene_lightning import tree
from scene_lightning.errors import InputError
from scene_lightning.utils.text import holds_bytes, string, strings


class TensorSpec(NamedTuple):
    """The shape (None where it varies) and dtype of one tensor of an element; "string" for text."""

    shape: tuple[int | None, ...]
    dtype: torch.dtype | str


def map_leaves(fn: Callable[[Any], Any], element: Any) -> Any:
    """Calls `fn` on each tensor of an element; only tuples and dicts are structures, as in tf.data.

    Args:
        fn: called with each tensor; its result takes the place.
        element: a tensor, or tuples and dicts of them.
    """
    return tree.map_leaves(fn, element, lambda part: isinstance(part, tuple | Mapping))


def call_on(fn: Callable[..., Any], element: Any) -> Any:
    """Calls a function on an element as tf.data does: the parts of a tuple are several arguments.

    Args:
        fn: the function.
        element: a tensor, or a tuple or dict of them.
    """
    return fn(*element) if isinstance(element, tuple) else fn(element)


def to_leaf(value: Any) -> Any:
    """Converts an array, number, list or tensor to a tensor, and text to `Text` or `Bytes`.

    Args:
        value: what a generator or an array gave.
    """
    if isinstance(value, str | bytes) or value is None:
        return string(value)
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, bool | int | float):  # TensorFlow's default types
        return torch.tensor(value, dtype={bool: torch.bool, int: torch.int32, float: torch.float32}[type(value)])
    if isinstance(value, list) and any(isinstance(item, torch.Tensor) for item in value):
        return torch.stack([torch.as_tensor(item) for item in value])
    if holds_bytes(value):
        return strings(value)
    array = np.asarray(value)
    if array.dtype.kind in "USO":
        return strings(value) if array.ndim else string(array.item())
    return torch.as_tensor(np.array(array, copy=True))


def stack_elements(leaves: tuple[Any, ...]) -> Any:
    """Stacks elements into one whose tensors have a batch axis.

    Args:
        leaves: the elements, all of one structure.

    Raises:
        InputError: tensors of different shapes.
    """
    first = leaves[0]
    if isinstance(first, tuple):
        return tuple(stack_elements(tuple(leaf[i] for leaf in leaves)) for i in range(len(first)))
    if isinstance(first, Mapping):
        return {key: stack_elements(tuple(leaf[key] for leaf in leaves)) for key in first}
    if not isinstance(first, torch.Tensor):
        stacked = getattr(type(first), "stacked", None)  # a sparse tensor knows how
        return strings(leaves) if stacked is None else stacked(leaves)
    shapes = {tuple(leaf.shape) for leaf in leaves}
    if len(shapes) > 1:
        raise InputError(f"Cannot batch tensors with different shapes: {sorted(shapes)}. Resize them first, in map().")
    return torch.stack(leaves)


def chunks(elements: Iterator[Any], size: int, drop_remainder: bool) -> Iterator[tuple[Any, ...]]:
    """Groups elements, in order.

    Args:
        elements: what to group.
        size: elements a group.
        drop_remainder: leave out the last group where it is smaller.
    """
    while chunk := tuple(itertools.islice(elements, size)):
        if len(chunk) == size or not drop_remainder:
            yield chunk


def leaves_of(element: Any) -> list[Any]:
    """Lists the tensors of an element, in order.

    Args:
        element: a tensor, or tuples and dicts of them.
    """
    leaves: list[Any] = []
    map_leaves(leaves.append, element)
    return leaves


def threaded_map(call: Callable[[Any], Any], elements: Iterator[Any], threads: int) -> Iterator[Any]:
    """`map(call, elements)` with up to `threads` calls at a time, in order, no further ahead than twice that.

    Args:
        call: the function; it may run in several threads at once.
        elements: its arguments, one a call.
        threads: the most calls at a time.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="scene-lightning-map")
    waiting: deque[Any] = deque()
    try:
        for element in elements:
            waiting.append(pool.submit(call, element))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def row(arrays: Any, index: int) -> Any:
    """Takes one element out of stacked arrays.

    Args:
        arrays: an array, or tuples and dicts of them, all of one length.
        index: which row.
    """

    def take(leaf: Any) -> Any:
        value = leaf[index]
        return string(value.item() if isinstance(value, np.generic) else value)  # texts of NumPy become Python's

    return map_leaves(take, arrays)
