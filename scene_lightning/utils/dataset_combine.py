"""Joins elements to windows and datasets to one, and takes batches apart.

The part of `tf.data.Dataset` that makes datasets of elements and elements of datasets; mixed into `Dataset`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.utils.dataset_base import INFINITE, UNKNOWN, DatasetBase
from scene_lightning.utils.elements import call_on, chunks, leaves_of, map_leaves, row, stack_elements, to_leaf


class Combining(DatasetBase):
    """The calls that make datasets of elements and elements of datasets; mixed into `Dataset`."""

    def unbatch(self, name: str | None = None) -> Self:
        """Take batches apart: one element a sample.

        Args:
            name: without effect.
        """

        def make(number: int) -> Iterator[Any]:
            for batch in self._make(number):
                for index in range(len(leaves_of(batch)[0])):
                    yield row(batch, index)

        made = self._derive(make, UNKNOWN if self._samples is None else self._samples)
        made._batch_size = made._samples = None
        return made

    def rebatch(self, batch_size: int, drop_remainder: bool = False, name: str | None = None) -> Self:
        """Make batches of another size.

        Args:
            batch_size: samples a batch.
            drop_remainder: leave out the last batch where it is smaller.
            name: without effect.
        """
        samples: Any = self.unbatch()
        return samples.batch(batch_size, drop_remainder)

    def enumerate(self, start: int = 0, name: str | None = None) -> Self:
        """Number the elements: (index, element) pairs.

        Args:
            start: the first index.
            name: without effect.
        """
        return self._derive(
            lambda number: ((torch.tensor(i), item) for i, item in enumerate(self._make(number), start)),
            self._length,
            keeps_elements=False,
        )

    def flat_map(self, map_func: Callable[..., DatasetBase], name: str | None = None) -> Self:
        """Join the datasets that a function gives for each element, one after another.

        Args:
            map_func: called with an element; gives a dataset.
            name: without effect.
        """

        def make(number: int) -> Iterator[Any]:
            for element in self._make(number):
                yield from call_on(map_func, element)._make(number)

        return self._derive(make, UNKNOWN, keeps_elements=False)

    def concatenate(self, dataset: DatasetBase, name: str | None = None) -> Self:
        """Add another dataset's elements at the end.

        Args:
            dataset: the other dataset.
            name: without effect.
        """
        lengths = (self._length, dataset._length)
        length = INFINITE if INFINITE in lengths else UNKNOWN if UNKNOWN in lengths else sum(lengths)
        made = self._derive(lambda number: itertools.chain(self._make(number), dataset._make(number)), length)
        made._draws = self._draws or dataset._draws
        return made

    def interleave(
        self, map_func: Callable[..., Any], cycle_length: int | None = None, block_length: int | None = None,
        num_parallel_calls: int | None = None, deterministic: bool | None = None, name: str | None = None,
    ) -> Self:  # fmt: skip
        """Read the datasets that a function gives by turns.

        Args:
            map_func: called with an element; gives a dataset.
            cycle_length: how many datasets are read by turns; None takes 1, -1 (`AUTOTUNE`) 16.
            block_length: how many elements of one are read before the next; None takes 1.
            num_parallel_calls: without effect.
            deterministic: without effect: the order is always kept.
            name: without effect.
        """
        cycle = 1 if cycle_length is None else 16 if int(cycle_length) < 1 else int(cycle_length)
        block = 1 if block_length is None else int(block_length)

        def make(number: int) -> Iterator[Any]:
            waiting = (call_on(map_func, element)._make(number) for element in self._make(number))
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
        self,
        size: int,
        shift: int | None = None,
        stride: int = 1,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Self:
        """Make datasets of neighbouring elements.

        Args:
            size: elements a window.
            shift: how far the next window begins after this one; None takes `size`, so that none overlap.
            stride: how far the elements of a window lie apart.
            drop_remainder: leave out windows that are smaller, at the end.
            name: without effect.

        Returns:
            A dataset of datasets; an element that is a tuple or dict gives a tuple or dict of datasets.

        Raises:
            InputError: a number below 1.
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
        self, batch_size: int, padded_shapes: Any = None, padding_values: Any = None,
        drop_remainder: bool = False, name: str | None = None,
    ) -> Self:  # fmt: skip
        """Stack elements of different shapes: each is filled up, at the end of every axis, to the largest of its batch.

        Args:
            batch_size: elements a batch.
            padded_shapes: must be None here: the largest element decides.
            padding_values: what fills up; None takes 0.
            drop_remainder: leave out the last batch where it is smaller.
            name: without effect.

        Raises:
            InputError: `padded_shapes` is given.
        """
        if padded_shapes is not None:
            raise InputError("padded_batch fills up to the largest element; leave padded_shapes out.")
        fill = 0 if padding_values is None else padding_values

        def make(number: int) -> Iterator[Any]:
            for chunk in chunks(self._make(number), int(batch_size), drop_remainder):
                yield stack_elements(_filled(chunk, fill))

        return self._derive(make, UNKNOWN, keeps_elements=False)

    def shard(self, num_shards: int, index: int, name: str | None = None) -> Self:
        """Keep every `num_shards`-th element.

        Args:
            num_shards: how many parts there are.
            index: which of them, from 0: the place of its first element.
            name: without effect.
        """
        length = len(range(index, self._length, num_shards)) if self._length >= 0 else self._length
        return self._derive(lambda number: itertools.islice(self._make(number), index, None, num_shards), length)

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Self:
        """Keep the elements before the first for which a function is false.

        Args:
            predicate: called with an element; where that is a tuple, with its parts as several arguments.
            name: without effect.
        """
        holds = partial(call_on, predicate)
        return self._derive(lambda number: itertools.takewhile(holds, self._make(number)), UNKNOWN)

    def scan(self, initial_state: Any, scan_func: Callable[[Any, Any], Any], name: str | None = None) -> Self:
        """Map elements with a memory.

        Args:
            initial_state: what the first call gets as state.
            scan_func: `scan_func(state, element)` gives (next state, result); the results are the new elements.
            name: without effect.
        """

        def make(number: int) -> Iterator[Any]:
            state = map_leaves(to_leaf, initial_state)
            for element in self._make(number):
                state, result = scan_func(state, element)
                yield map_leaves(to_leaf, result)

        return self._derive(make, self._length, keeps_elements=False)

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> Self:
        """End the dataset at its first error instead of raising it: a generator that has failed cannot go on.

        Args:
            log_warning: without effect.
            name: without effect.
        """

        def make(number: int) -> Iterator[Any]:
            elements = self._make(number)
            while True:
                try:
                    element = next(elements)
                except (StopIteration, InputError, OSError):
                    return
                yield element

        return self._derive(make, UNKNOWN)

    @staticmethod
    def sample_from_datasets(
        datasets: Sequence[Any],
        weights: Sequence[float] | None = None,
        seed: int | None = None,
        stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: bool | None = None,
    ) -> Any:
        """Draw elements from several datasets at random.

        Args:
            datasets: the datasets.
            weights: how often each is drawn from, one a dataset; None takes all alike.
            seed: makes the draws repeatable; None draws a seed from torch's global generator.
            stop_on_empty_dataset: end with the first dataset that ends; by default those that are used up drop out.
            rerandomize_each_iteration: without effect: each pass has draws of its own.

        Raises:
            InputError: another number of weights than datasets.
        """
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
        """Take elements from several datasets in an order that is given.

        Args:
            datasets: the datasets.
            choice_dataset: its elements say which dataset, counted from 0, comes next.
            stop_on_empty_dataset: end with the first dataset that ends (default); False leaves it out.
        """

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
        else:
            yield element


def _joint_length(datasets: Sequence[Any], stop: bool) -> int:
    lengths = [dataset._length for dataset in datasets]
    if INFINITE in lengths and (not stop or all(length == INFINITE for length in lengths)):
        return INFINITE
    return UNKNOWN if stop or UNKNOWN in lengths else sum(lengths)


def _datasets(source: DatasetBase, elements: list[Any]) -> Any:
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
