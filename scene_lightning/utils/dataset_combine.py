"""Joins elements to windows and datasets to one, and takes batches apart.

The part of `tf.data.Dataset` that makes datasets of elements and elements of datasets; mixed into `Dataset`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.utils.elements import leaves_of, map_leaves, row, stack_elements, to_leaf

INFINITE, UNKNOWN = -1, -2  # tf.data's two special cardinalities


class _Source(Protocol):
    _length: int
    _draws: bool

    def _make(self, number: int) -> Iterator[Any]: ...

    def _derive(self, make: Callable[[int], Iterator[Any]], length: int, keeps_elements: bool = True) -> Any: ...


class Combining:
    """Mixed into `Dataset`."""

    def unbatch(self: Any, name: Any = None) -> Any:
        """The elements of each batch, one by one."""

        def make(number: int) -> Iterator[Any]:
            for batch in self._make(number):
                for index in range(len(leaves_of(batch)[0])):
                    yield row(batch, index)

        made = self._derive(make, UNKNOWN if self._samples is None else self._samples)
        made._batch_size = made._samples = None
        return made

    def rebatch(self: Any, batch_size: int, drop_remainder: bool = False, name: Any = None) -> Any:
        """Batches of another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def enumerate(self: Any, start: int = 0, name: Any = None) -> Any:
        """(index, element) pairs."""
        return self._derive(
            lambda number: ((torch.tensor(i), item) for i, item in enumerate(self._make(number), start)),
            self._length,
            keeps_elements=False,
        )

    def interleave(
        self: _Source, map_func: Callable[..., Any], cycle_length: Any = None, block_length: Any = None,
        num_parallel_calls: Any = None, deterministic: Any = None, name: Any = None,
    ) -> Any:  # fmt: skip
        """The datasets that `map_func` gives, `cycle_length` at a time, `block_length` elements of each in turn."""
        cycle = 1 if cycle_length is None else 16 if int(cycle_length) < 1 else int(cycle_length)
        block = 1 if block_length is None else int(block_length)

        def make(number: int) -> Iterator[Any]:
            elements = self._make(number)

            def started() -> Iterator[Iterator[Any]]:
                for element in elements:
                    made = map_func(*element) if isinstance(element, tuple) else map_func(element)
                    yield made._make(number)

            waiting = started()
            open_now = list(itertools.islice(waiting, cycle))
            position = 0
            while open_now:
                position %= len(open_now)
                chunk = list(itertools.islice(open_now[position], block))
                yield from chunk
                if len(chunk) == block:
                    position += 1
                    continue
                follower = next(waiting, None)  # an exhausted one gives its place to the next
                if follower is None:
                    del open_now[position]
                else:
                    open_now[position] = follower
                    position += 1

        return self._derive(make, UNKNOWN, keeps_elements=False)

    def window(
        self: _Source, size: Any, shift: Any = None, stride: Any = 1, drop_remainder: bool = False, name: Any = None
    ) -> Any:
        """Datasets of `size` elements, `stride` apart, each beginning `shift` (by default `size`) after the last.

        An element that is a tuple or dict gives a tuple or dict of datasets.
        """
        count, apart = int(size), int(stride)
        step = count if shift is None else int(shift)
        if min(count, apart, step) < 1:
            raise InputError(f"size, shift and stride are at least 1; received {size}, {shift}, {stride}.")

        def make(number: int) -> Iterator[Any]:
            elements = self._make(number)
            held: list[Any] = []
            reach = (count - 1) * apart + 1
            while True:
                held += itertools.islice(elements, max(reach - len(held), 0))
                chunk = held[:reach:apart]
                if not chunk or (drop_remainder and len(chunk) < count):
                    return
                yield _datasets(self, chunk)
                for _ in range(step - len(held)):
                    next(elements, None)
                held = held[step:]

        return self._derive(make, UNKNOWN, keeps_elements=False)

    def padded_batch(
        self: _Source, batch_size: Any, padded_shapes: Any = None, padding_values: Any = None,
        drop_remainder: bool = False, name: Any = None,
    ) -> Any:  # fmt: skip
        """Batches whose elements are filled up, at the end of each axis, to the largest of them."""
        if padded_shapes is not None:
            raise InputError("padded_batch fills up to the largest element; leave padded_shapes out.")
        fill = 0 if padding_values is None else padding_values

        def make(number: int) -> Iterator[Any]:
            elements = self._make(number)
            while chunk := tuple(itertools.islice(elements, int(batch_size))):
                if len(chunk) == int(batch_size) or not drop_remainder:
                    yield stack_elements(_filled(chunk, fill))

        return self._derive(make, UNKNOWN, keeps_elements=False)

    def take_while(self: _Source, predicate: Callable[..., Any], name: Any = None) -> Any:
        """The elements before the first for which `predicate` is false."""

        def holds(element: Any) -> bool:
            return bool(predicate(*element) if isinstance(element, tuple) else predicate(element))

        return self._derive(lambda number: itertools.takewhile(holds, self._make(number)), UNKNOWN)

    def scan(self: _Source, initial_state: Any, scan_func: Callable[[Any, Any], Any], name: Any = None) -> Any:
        """The results of `scan_func(state, element)`, which gives the next state and a result."""

        def make(number: int) -> Iterator[Any]:
            state = map_leaves(to_leaf, initial_state)
            for element in self._make(number):
                state, result = scan_func(state, element)
                yield map_leaves(to_leaf, result)

        return self._derive(make, self._length, keeps_elements=False)

    def ignore_errors(self: _Source, log_warning: bool = False, name: Any = None) -> Any:
        """The dataset up to its first error: a generator that has failed cannot go on."""

        def make(number: int) -> Iterator[Any]:
            elements = self._make(number)
            while True:
                try:
                    element = next(elements)
                except StopIteration:
                    return
                except (InputError, OSError):
                    return
                yield element

        return self._derive(make, UNKNOWN)

    @staticmethod
    def sample_from_datasets(
        datasets: Sequence[Any], weights: Any = None, seed: Any = None, stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: Any = None,
    ) -> Any:  # fmt: skip
        """Elements of several datasets, each drawn at random with the given `weights`; used up ones drop out."""
        start = int(torch.randint(2**31, ()).item()) if seed is None else int(seed)
        shares = np.ones(len(datasets)) if weights is None else np.asarray(weights, dtype=float)
        if len(shares) != len(datasets):
            raise InputError(f"Expected one weight for each of {len(datasets)} datasets; received {len(shares)}.")

        def make(number: int) -> Iterator[Any]:
            rng = np.random.default_rng([start, number])
            left = shares.copy()

            def choices() -> Iterator[int]:
                while left.sum() > 0:
                    yield int(rng.choice(len(left), p=left / left.sum()))

            return _drawn(datasets, choices(), number, stop_on_empty_dataset, left)

        made = datasets[0]._derive(make, _joint_length(datasets, stop_on_empty_dataset))
        made._draws = seed is None or any(dataset._draws for dataset in datasets)
        return made

    @staticmethod
    def choose_from_datasets(
        datasets: Sequence[Any], choice_dataset: Any, stop_on_empty_dataset: bool = True
    ) -> Any:  # fmt: skip
        """Elements of several datasets, in the order of `choice_dataset`, whose elements are their numbers."""

        def make(number: int) -> Iterator[Any]:
            choices = (int(choice) for choice in choice_dataset._make(number))
            return _drawn(datasets, choices, number, stop_on_empty_dataset, np.ones(len(datasets)))

        made = datasets[0]._derive(make, UNKNOWN)
        made._draws = any(dataset._draws for dataset in (*datasets, choice_dataset))
        return made


def _drawn(
    datasets: Sequence[Any], choices: Iterator[int], number: int, stop: bool, left: np.ndarray
) -> Iterator[Any]:  # fmt: skip
    sources = [dataset._make(number) for dataset in datasets]
    for choice in choices:
        if not left[choice]:
            continue
        try:
            element = next(sources[choice])
        except StopIteration:
            if stop:
                return
            left[choice] = 0
            continue
        yield element


def _joint_length(datasets: Sequence[Any], stop: bool) -> int:
    lengths = [dataset._length for dataset in datasets]
    if INFINITE in lengths and (not stop or all(length == INFINITE for length in lengths)):
        return INFINITE
    return UNKNOWN if stop or UNKNOWN in lengths else sum(lengths)


def _datasets(source: _Source, elements: list[Any]) -> Any:
    first = elements[0]
    if isinstance(first, tuple):
        return tuple(_datasets(source, [element[i] for element in elements]) for i in range(len(first)))
    if isinstance(first, Mapping):
        return {key: _datasets(source, [element[key] for element in elements]) for key in first}
    return source._derive(lambda _: iter(elements), len(elements), keeps_elements=False)


def _filled(elements: tuple[Any, ...], fill: Any) -> tuple[Any, ...]:
    first = elements[0]
    if isinstance(first, tuple):
        columns = [_filled(tuple(element[i] for element in elements), fill) for i in range(len(first))]
        return tuple(zip(*columns, strict=True))
    if not isinstance(first, torch.Tensor):
        return elements
    sides = [max(element.shape[axis] for element in elements) for axis in range(first.ndim)]
    made = []
    for element in elements:
        whole = torch.full(sides, fill, dtype=element.dtype)
        whole[tuple(slice(side) for side in element.shape)] = element
        made.append(whole)
    return tuple(made)
