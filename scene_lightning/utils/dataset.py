"""Elements in; the same elements mapped, batched, shuffled, cached, … out: the chained calls of `tf.data.Dataset`.

An element is a tensor, or a tuple or dict of them; each has `.numpy()`. Every pass has a number (the epoch), and the
order of shuffled elements is a function of (seed, pass), so that training can be resumed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cloudpickle
import numpy as np
import torch

from scene_lightning.data.decode import default_threads
from scene_lightning.errors import InputError
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.dataset import DatasetFeed
from scene_lightning.feeds.prefetch import prefetched
from scene_lightning.utils.dataset_combine import INFINITE, UNKNOWN, Combining
from scene_lightning.utils.dataset_files import Filed
from scene_lightning.utils.elements import TensorSpec, leaves_of, map_leaves, row, stack_elements, threaded_map, to_leaf
from scene_lightning.utils.text import matching

AUTOTUNE = -1


class Dataset(Filed, Combining):
    """A sequence of elements that can be read again and again. TensorFlow: `tf.data.Dataset`.

    Attributes:
        class_names: the classes of an image dataset; survives the chained calls.
        file_paths: of an image dataset as it was made: the files, in order.
        image_info: what prediction needs to read images alike; survives all calls that keep the elements.
    """

    class_names: list[str] | None = None
    file_paths: list[str] | None = None
    image_info: dict[str, Any] | None = None

    def __init__(
        self,
        make: Callable[[int], Iterator[Any]],
        length: int = UNKNOWN,
        batch_size: int | None = None,
        samples: int | None = None,
    ) -> None:
        """Elements come from `make(pass_number)`; `length`, `batch_size` and `samples` (in all batches) if known."""
        self._make, self._length = make, length
        self._batch_size, self._samples = batch_size, samples
        self._passes = 0
        self._draws = False  # whether its order hangs on a seed that nobody gave

    def __reduce__(self) -> Any:
        """For pickles, and processes that are started: the functions that were given to `map` and others go along."""
        return _unpickled, (cloudpickle.dumps(self.__dict__),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Dataset:
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)  # nothing in it ever changes, but for the number of passes
        return made

    def _derive(self, make: Callable[[int], Iterator[Any]], length: int, keeps_elements: bool = True) -> Dataset:
        made = Dataset(make, length)
        made.class_names, made._draws = self.class_names, self._draws
        if keeps_elements:
            made.image_info, made._batch_size = self.image_info, self._batch_size
            if length == self._length:
                made._samples = self._samples
        return made

    # -- sources ---------------------------------------------------------------------------------------------------

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """The slices along the first axis of arrays (one, a tuple or a dict). Raises InputError when lengths differ."""
        arrays = map_leaves(to_leaf, tensors)
        lengths = {len(leaf) for leaf in leaves_of(arrays)}
        if len(lengths) != 1:
            raise InputError(f"from_tensor_slices needs arrays of one length; received the lengths {sorted(lengths)}.")

        def make(_: int) -> Iterator[Any]:
            return (row(arrays, index) for index in range(length))

        length = lengths.pop()
        return Dataset(make, length)

    @staticmethod
    def from_tensors(tensors: Any) -> Dataset:
        """One element."""
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
        """What `generator(*args)` yields, called anew for each pass; types and shapes are those of what it yields."""
        if not callable(generator):
            raise InputError(
                "`generator` must be a Python callable that gives an iterator; received an object that is not."
            )
        given = tuple(args or ())
        return Dataset(lambda _: (map_leaves(to_leaf, element) for element in generator(*given)))

    @staticmethod
    def range(*args: int, output_type: Any = None) -> Dataset:
        """0, 1, … as int64 scalars; arguments as Python's range."""
        numbers = range(*args)
        return Dataset(lambda _: (torch.tensor(n, dtype=torch.int64) for n in numbers), len(numbers))

    @staticmethod
    def list_files(file_pattern: Any, shuffle: bool | None = None, seed: Any = None, name: Any = None) -> Dataset:
        """The paths that match a pattern, or several, as text; shuffled unless told otherwise. Else DataError."""
        paths = matching(file_pattern)
        dataset = Dataset(lambda _: iter(paths), len(paths))
        return dataset.shuffle(len(paths), seed) if shuffle is None or shuffle else dataset

    @staticmethod
    def zip(*datasets: Any, name: str | None = None) -> Dataset:
        """Tuples of one element of each; ends with the shortest. Takes several datasets, or one tuple of them."""
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
        self, map_func: Callable[..., Any], num_parallel_calls: Any = None, deterministic: Any = None, name: Any = None
    ) -> Dataset:
        """`map_func` of each element; a tuple is passed as several arguments. Parallel calls keep the order."""

        def call(element: Any) -> Any:
            result = map_func(*element) if isinstance(element, tuple) else map_func(element)
            return map_leaves(to_leaf, result)

        threads = 0 if num_parallel_calls is None else int(num_parallel_calls)
        threads = default_threads() if threads == AUTOTUNE else min(threads, default_threads())

        def make(number: int) -> Iterator[Any]:
            return threaded_map(call, self._make(number), threads) if threads > 1 else map(call, self._make(number))

        made = self._derive(make, self._length)
        made.image_info = None  # nobody knows what map_func does to the images
        return made

    def filter(self, predicate: Callable[..., Any], name: Any = None) -> Dataset:
        """The elements for which `predicate` is true."""

        def keeps(element: Any) -> bool:
            return bool(predicate(*element) if isinstance(element, tuple) else predicate(element))

        return self._derive(lambda number: filter(keeps, self._make(number)), UNKNOWN)

    def flat_map(self, map_func: Callable[..., Dataset], name: Any = None) -> Dataset:
        """The elements of the dataset that `map_func` gives for each element."""

        def make(number: int) -> Iterator[Any]:
            for element in self._make(number):
                yield from (map_func(*element) if isinstance(element, tuple) else map_func(element))._make(number)

        return self._derive(make, UNKNOWN, keeps_elements=False)

    # -- batches ---------------------------------------------------------------------------------------------------

    def batch(
        self, batch_size: Any, drop_remainder: bool = False, num_parallel_calls: Any = None, deterministic: Any = None,
        name: Any = None,
    ) -> Dataset:  # fmt: skip
        """Stacks of `batch_size` elements; the last may be smaller, or is left out."""
        size = int(batch_size)
        if size < 1:
            raise InputError(f"batch_size must be at least 1; received {batch_size}.")

        def make(number: int) -> Iterator[Any]:
            elements = self._make(number)
            while chunk := tuple(itertools.islice(elements, size)):
                if len(chunk) == size or not drop_remainder:
                    yield stack_elements(chunk)

        length = self._length
        if length >= 0:
            length = length // size if drop_remainder else -(-length // size)
        made = self._derive(make, length)
        made._batch_size = size
        made._samples = None if self._length < 0 else length * size if drop_remainder else self._length
        return made

    # -- which, in what order, how often ---------------------------------------------------------------------------

    def take(self, count: Any, name: Any = None) -> Dataset:
        """The first `count` elements; −1 takes all."""
        n = int(count)
        if n < 0:
            return self
        length = min(n, self._length) if self._length >= 0 else n if self._length == INFINITE else UNKNOWN
        made = self._derive(lambda number: itertools.islice(self._make(number), n), length)
        if self._samples is not None and self._batch_size:
            made._samples = min(self._samples, n * self._batch_size)
        return made

    def skip(self, count: Any, name: Any = None) -> Dataset:
        """All but the first `count` elements; −1 skips all."""
        n = int(count)
        if n < 0:
            return self.take(0)
        length = max(self._length - n, 0) if self._length >= 0 else self._length
        made = self._derive(lambda number: itertools.islice(self._make(number), n, None), length)
        if self._samples is not None and self._batch_size:
            made._samples = max(self._samples - n * self._batch_size, 0)
        return made

    def shard(self, num_shards: int, index: int, name: Any = None) -> Dataset:
        """Every `num_shards`-th element, from `index`."""
        length = len(range(index, self._length, num_shards)) if self._length >= 0 else self._length
        return self._derive(lambda number: itertools.islice(self._make(number), index, None, num_shards), length)

    def concatenate(self, dataset: Dataset, name: Any = None) -> Dataset:
        """These elements, then those of `dataset`."""
        lengths = (self._length, dataset._length)
        length = INFINITE if INFINITE in lengths else UNKNOWN if UNKNOWN in lengths else sum(lengths)
        made = self._derive(lambda number: itertools.chain(self._make(number), dataset._make(number)), length)
        made._draws = self._draws or dataset._draws
        return made

    def repeat(self, count: Any = None, name: Any = None) -> Dataset:
        """The elements `count` times over; without a count, or with −1, for ever."""
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
        self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool | None = True, name: Any = None
    ) -> Dataset:
        """Each element drawn from a buffer of the next `buffer_size`; another order each pass unless told otherwise.

        Without a seed one is drawn from torch's global generator, so that `set_random_seed` decides.
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

    def cache(self, filename: str = "", name: Any = None) -> Dataset:
        """Keep the elements in memory once they have all been read."""
        kept: list[Any] = []
        complete: list[bool] = []

        def make(number: int) -> Iterator[Any]:
            if complete:
                yield from kept
                return
            found = []
            for element in self._make(number):
                found.append(element)
                yield element
            if not complete:
                kept.extend(found)
                complete.append(True)

        return self._derive(make, self._length)

    def prefetch(self, buffer_size: Any = AUTOTUNE, name: Any = None) -> Dataset:
        """Read up to `buffer_size` elements ahead, in a thread."""
        depth = 2 if int(buffer_size) == AUTOTUNE else int(buffer_size)
        return self._derive(lambda number: prefetched(lambda: self._make(number), depth), self._length)

    def with_options(self, options: Any = None, name: Any = None) -> Dataset:
        """The same dataset: TensorFlow's options have no meaning here."""
        return self

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """`transformation_func(self)`."""
        return transformation_func(self)

    # -- reading ---------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        number = self._passes
        self._passes += 1
        return self._make(number)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements as NumPy arrays."""
        return _NumpyIterator(map_leaves(lambda t: t.numpy() if isinstance(t, torch.Tensor) else t, x) for x in self)

    def get_single_element(self, name: Any = None) -> Any:
        """The only element."""
        return next(iter(self))

    def reduce(self, initial_state: Any, reduce_func: Callable[[Any, Any], Any], name: Any = None) -> Any:
        """`reduce_func(state, element)` over all elements."""
        state = map_leaves(to_leaf, initial_state)
        for element in self:
            state = map_leaves(to_leaf, reduce_func(state, element))
        return state

    def cardinality(self) -> torch.Tensor:
        """The number of elements as an int64 scalar; −1 for endless, −2 for unknown."""
        return torch.tensor(self._length, dtype=torch.int64)

    def __len__(self) -> int:
        if self._length < 0:
            raise TypeError(
                "The dataset is infinite." if self._length == INFINITE else "The dataset length is unknown."
            )
        return self._length

    def __bool__(self) -> bool:
        return True

    @property
    def element_spec(self) -> Any:
        """Shapes and dtypes of one element (read to see), the batch axis as None."""

        def spec(leaf: Any) -> TensorSpec:
            shape: tuple[int | None, ...] = tuple(np.shape(leaf))
            dtype = leaf.dtype if isinstance(leaf, torch.Tensor) else "string"
            return TensorSpec((None, *shape[1:]) if self._batch_size and shape else shape, dtype)

        first = next(self._make(0), None)
        if first is None:
            raise InputError("An empty dataset has no element to describe.")
        return map_leaves(spec, first)

    def lightning_feed(self, training: bool, shuffle: bool = True) -> Feed:
        """What `fit`, `evaluate` and `predict` read from; the dataset's own order is kept, as Keras keeps it."""
        return DatasetFeed(self, training)

    def __repr__(self) -> str:
        length = {INFINITE: "infinite", UNKNOWN: "unknown"}.get(self._length, self._length)
        return f"<Dataset length={length}, batch_size={self._batch_size}>"


def _unpickled(state: bytes) -> Dataset:
    made = Dataset.__new__(Dataset)
    made.__dict__.update(cloudpickle.loads(state))
    return made


class _NumpyIterator(Iterator[Any]):
    """Has TensorFlow's `.next()` beside Python's `next(iterator)`."""

    def __init__(self, elements: Iterator[Any]) -> None:
        self._elements = elements

    def __next__(self) -> Any:
        return next(self._elements)

    next = __next__
