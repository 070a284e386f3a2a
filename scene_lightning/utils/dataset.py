"""`Dataset`: elements that are mapped, batched, shuffled, cached, … by chained calls, as in `tf.data`.

An element is a tensor, or a tuple or dict of them; each has `.numpy()`. Every pass has a number (the epoch), and the
order of shuffled elements is a function of (seed, pass), so that training can be resumed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from scene_lightning.data.decode import default_threads
from scene_lightning.errors import InputError
from scene_lightning.feeds.prefetch import prefetched
from scene_lightning.utils.dataset_base import INFINITE, UNKNOWN, DatasetBase
from scene_lightning.utils.dataset_combine import Combining
from scene_lightning.utils.dataset_files import Filed
from scene_lightning.utils.elements import (
    call_on,
    chunks,
    leaves_of,
    map_leaves,
    row,
    stack_elements,
    threaded_map,
    to_leaf,
)
from scene_lightning.utils.text import matching

AUTOTUNE = -1


class Dataset(Filed, Combining):
    """A sequence of elements that can be read again and again. TensorFlow: `tf.data.Dataset`.

    An element is a tensor, or a tuple or dict of them. Calls are chained, and nothing is computed before the elements
    are read: by `for element in dataset`, or by `fit`, `evaluate` and `predict`, which take one element as one batch.
    Programs begin with `from_tensor_slices`, `list_files` or `keras.utils.image_dataset_from_directory`.

    Args:
        make: called with the number of the pass (the epoch); gives an iterator over the elements.
        length: how many elements there are; -1 where there is no end, -2 where nobody knows.
        batch_size: samples an element, where elements are batches.
        samples: samples in all batches, where they are known.

    Attributes:
        class_names: the classes of an image dataset; survives the chained calls.
        file_paths: of an image dataset as it was made: the files, in order.
        image_info: what prediction needs to read images alike; survives all calls that keep the elements.

    Example:
        dataset = keras.utils.Dataset.from_tensor_slices((images, labels))
        dataset = dataset.shuffle(1000, seed=0).map(lambda x, y: (x / 255, y)).batch(32)
        model.fit(dataset, epochs=5)
    """

    # -- sources ---------------------------------------------------------------------------------------------------

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """A dataset of the slices along the first axis: one element a sample.

        Args:
            tensors: an array, tensor or list; or a tuple or dict of them, all of one length.

        Raises:
            InputError: lengths that differ.

        Example:
            >>> [int(number) for number in keras.utils.Dataset.from_tensor_slices([1, 2, 3])]
            [1, 2, 3]
        """
        arrays = map_leaves(to_leaf, tensors)
        lengths = {len(leaf) for leaf in leaves_of(arrays)}
        if len(lengths) != 1:
            raise InputError(f"from_tensor_slices needs arrays of one length; received the lengths {sorted(lengths)}.")
        length = lengths.pop()
        return Dataset(lambda _: (row(arrays, index) for index in range(length)), length)

    @staticmethod
    def from_tensors(tensors: Any) -> Dataset:
        """A dataset of one element: what is given, whole.

        Args:
            tensors: an array, tensor or number; or a tuple or dict of them.
        """
        element = map_leaves(to_leaf, tensors)
        return Dataset(lambda _: iter([element]), 1)

    @staticmethod
    def from_generator(
        generator: Callable[..., Iterable[Any]],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Iterable[Any] = (),
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """A dataset of what a generator yields.

        Args:
            generator: a function that gives an iterator; called anew for each pass.
            output_types: not needed: types are those of what is yielded.
            output_shapes: not needed, either.
            args: what `generator` is called with.
            output_signature: not needed: `tf.TensorSpec`s in TensorFlow.
            name: without effect.

        Raises:
            InputError: `generator` cannot be called.
        """
        if not callable(generator):
            raise InputError(
                "`generator` must be a Python callable that gives an iterator; received an object that is not."
            )
        given = tuple(args or ())
        return Dataset(lambda _: (map_leaves(to_leaf, element) for element in generator(*given)))

    @staticmethod
    def range(*args: int, output_type: Any = None) -> Dataset:
        """A dataset of whole numbers, as int64 scalars.

        Args:
            *args: as for Python's `range`: (stop), (start, stop) or (start, stop, step).
            output_type: without effect.
        """
        numbers = range(*args)
        return Dataset(lambda _: (torch.tensor(n, dtype=torch.int64) for n in numbers), len(numbers))

    @staticmethod
    def list_files(
        file_pattern: Any, shuffle: bool | None = None, seed: int | None = None, name: str | None = None
    ) -> Dataset:
        """A dataset of the paths that match a pattern, as text.

        Args:
            file_pattern: a pattern such as `"seg_train/*/*.jpg"`, or a list of them.
            shuffle: mix the paths, anew in each pass (default); False keeps them sorted.
            seed: makes the order repeatable; None draws a seed from torch's global generator.
            name: without effect.

        Raises:
            DataError: nothing matches.
        """
        paths = matching(file_pattern)
        dataset = Dataset(lambda _: iter(paths), len(paths))
        return dataset.shuffle(len(paths), seed) if shuffle is None or shuffle else dataset

    @staticmethod
    def zip(*datasets: Any, name: str | None = None) -> Dataset:
        """A dataset of tuples, each of one element of every dataset; it ends with the shortest.

        Args:
            *datasets: the datasets; or one tuple of them, in which tuples may stand again.
            name: without effect.
        """
        parts = datasets[0] if len(datasets) == 1 and isinstance(datasets[0], tuple | list) else datasets
        parts = [Dataset.zip(part) if isinstance(part, tuple | list) else part for part in parts]  # tuples in tuples
        known = [part._length for part in parts if part._length != INFINITE]
        length = INFINITE if not known else UNKNOWN if UNKNOWN in known else min(known)
        made = parts[0]._derive(
            lambda number: zip(*(part._make(number) for part in parts), strict=False), length, keeps_elements=False
        )
        made._draws = any(part._draws for part in parts)
        return made

    # -- elements --------------------------------------------------------------------------------------------------

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Apply a function to each element.

        Args:
            map_func: called with an element; where that is a tuple, with its parts as several arguments. Arrays,
                tensors and numbers that it returns become tensors.
            num_parallel_calls: how many threads call it; `AUTOTUNE` (-1) takes one a core, None calls one after
                another. The order is kept.
            deterministic: without effect: the order is always kept.
            name: without effect.

        Example:
            >>> dataset = keras.utils.Dataset.range(3).map(lambda number: number * 10)
            >>> [int(number) for number in dataset]
            [0, 10, 20]
        """

        def call(element: Any) -> Any:
            return map_leaves(to_leaf, call_on(map_func, element))

        threads = 0 if num_parallel_calls is None else int(num_parallel_calls)
        threads = default_threads() if threads == AUTOTUNE else min(threads, default_threads())

        def make(number: int) -> Iterator[Any]:
            return threaded_map(call, self._make(number), threads) if threads > 1 else map(call, self._make(number))

        made = self._derive(make, self._length)
        made.image_info = None  # nobody knows what map_func does to the images
        return made

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """Keep the elements for which a function is true.

        Args:
            predicate: called with an element; where that is a tuple, with its parts as several arguments.
            name: without effect.
        """
        return self._derive(lambda number: filter(partial(call_on, predicate), self._make(number)), UNKNOWN)

    # -- batches ---------------------------------------------------------------------------------------------------

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Stack elements into batches.

        Args:
            batch_size: elements a batch.
            drop_remainder: leave out the last batch where it is smaller.
            num_parallel_calls: without effect.
            deterministic: without effect: the order is always kept.
            name: without effect.

        Returns:
            A dataset whose tensors have a batch axis in front: (height, width, channels) gives (batch, height, width,
            channels).

        Raises:
            InputError: a size below 1; or, when it is read, elements of different shapes.
        """
        size = int(batch_size)
        if size < 1:
            raise InputError(f"batch_size must be at least 1; received {batch_size}.")

        def make(number: int) -> Iterator[Any]:
            return map(stack_elements, chunks(self._make(number), size, drop_remainder))

        length = self._length
        if length >= 0:
            length = length // size if drop_remainder else -(-length // size)
        made = self._derive(make, length)
        made._batch_size = size
        made._samples = None if self._length < 0 else length * size if drop_remainder else self._length
        return made

    # -- which, in what order, how often ---------------------------------------------------------------------------

    def take(self, count: int, name: str | None = None) -> Dataset:
        """Keep the first elements only.

        Args:
            count: how many; -1 takes all.
            name: without effect.
        """
        n = int(count)
        if n < 0:
            return self
        length = min(n, self._length) if self._length >= 0 else n if self._length == INFINITE else UNKNOWN
        made = self._derive(lambda number: itertools.islice(self._make(number), n), length)
        if self._samples is not None and self._batch_size:
            made._samples = min(self._samples, n * self._batch_size)
        return made

    def skip(self, count: int, name: str | None = None) -> Dataset:
        """Leave out the first elements.

        Args:
            count: how many; -1 leaves out all.
            name: without effect.
        """
        n = int(count)
        if n < 0:
            return self.take(0)
        length = max(self._length - n, 0) if self._length >= 0 else self._length
        made = self._derive(lambda number: itertools.islice(self._make(number), n, None), length)
        if self._samples is not None and self._batch_size:
            made._samples = max(self._samples - n * self._batch_size, 0)
        return made

    def repeat(self, count: int | None = None, name: str | None = None) -> Dataset:
        """Go through the elements several times.

        Args:
            count: how often; None or -1 never ends. Shuffled elements have another order each time.
            name: without effect.
        """
        times = INFINITE if count is None else int(count)

        def make(number: int) -> Iterator[Any]:
            rounds = itertools.count() if times < 0 else range(times)
            for turn in rounds:
                empty = True
                for element in self._make(number * 1_000_003 + turn):  # another order in each round
                    empty = False
                    yield element
                if empty:
                    return

        length = INFINITE if times < 0 else UNKNOWN if self._length == UNKNOWN else self._length * times
        made = self._derive(make, length)
        made._samples = None if self._samples is None or times < 0 else self._samples * times
        return made

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = True,
        name: str | None = None,
    ) -> Dataset:
        """Mix the elements: each is drawn from a buffer of the next `buffer_size`.

        Args:
            buffer_size: elements in the buffer; a whole mix takes as many as the dataset has.
            seed: makes the order repeatable, as a function of (seed, pass); None draws a seed from torch's global
                generator, so that `keras.utils.set_random_seed` decides.
            reshuffle_each_iteration: another order in each pass (default); False has the same in all.
            name: without effect.

        Raises:
            InputError: a buffer below 1.
        """
        size, start = int(buffer_size), int(torch.randint(2**31, ()).item()) if seed is None else int(seed)
        if size < 1:
            raise InputError(f"buffer_size must be at least 1; received {buffer_size}.")

        def make(number: int) -> Iterator[Any]:
            rng = np.random.default_rng([start, 0 if reshuffle_each_iteration is False else number])
            elements = self._make(number)
            buffer = list(itertools.islice(elements, size))
            for element in elements:
                index = int(rng.integers(len(buffer)))
                buffer[index], drawn = element, buffer[index]
                yield drawn
            yield from (buffer[index] for index in rng.permutation(len(buffer)))

        made = self._derive(make, self._length)
        made._draws = self._draws or seed is None
        return made

    # -- speed -----------------------------------------------------------------------------------------------------

    def cache(self, filename: str = "", name: str | None = None) -> Dataset:
        """Keep the elements in memory once they have all been read: later passes do not compute them again.

        Args:
            filename: without effect: TensorFlow caches in that file.
            name: without effect.
        """
        kept: list[Any] = []
        complete: list[bool] = []

        def make(number: int) -> Iterator[Any]:
            if complete:
                yield from kept
                return
            elements = []
            for element in self._make(number):
                elements.append(element)
                yield element
            if not complete:
                kept.extend(elements)
                complete.append(True)

        return self._derive(make, self._length)

    def prefetch(self, buffer_size: int = AUTOTUNE, name: str | None = None) -> Dataset:
        """Read elements ahead of time, in a thread.

        Args:
            buffer_size: how many elements ahead; `AUTOTUNE` (-1) takes 2.
            name: without effect.
        """
        depth = 2 if int(buffer_size) == AUTOTUNE else int(buffer_size)
        return self._derive(lambda number: prefetched(lambda: self._make(number), depth), self._length)


DatasetBase._plain = Dataset
