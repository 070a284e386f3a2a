"""What every dataset has: passes over its elements, how many they are, what they look like, copies and pickles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import cloudpickle
import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.dataset import DatasetFeed
from scene_lightning.utils.elements import TensorSpec, map_leaves, to_leaf

INFINITE, UNKNOWN = -1, -2  # tf.data's two special cardinalities


class DatasetBase:
    """What every dataset has, whatever its elements come from.

    Args:
        make: called with the number of the pass (the epoch); gives an iterator over the elements.
        length: how many elements there are, `INFINITE` or `UNKNOWN`.
        batch_size: samples an element, where elements are batches.
        samples: samples in all batches, where they are known.

    Attributes:
        class_names: the classes of an image dataset; survives the chained calls.
        file_paths: of an image dataset as it was made: the files, in order.
        image_info: what prediction needs to read images alike; survives all calls that keep the elements.
    """

    class_names: list[str] | None = None
    file_paths: list[str] | None = None
    image_info: dict[str, Any] | None = None
    _plain: type[Any]  # `Dataset`: what is derived is one, whatever subclass it comes from

    def __init__(
        self,
        make: Callable[[int], Iterator[Any]],
        length: int = UNKNOWN,
        batch_size: int | None = None,
        samples: int | None = None,
    ) -> None:
        self._make, self._length = make, length
        self._batch_size, self._samples = batch_size, samples
        self._passes = 0
        self._draws = False  # whether its order hangs on a seed that nobody gave

    def __reduce__(self) -> Any:
        """For pickles, and processes that are started: the functions that were given to `map` and others go along."""
        return _unpickled, (self._plain, cloudpickle.dumps(self.__dict__))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)  # nothing in it ever changes, but for the number of passes
        return made

    def _derive(self, make: Callable[[int], Iterator[Any]], length: int, keeps_elements: bool = True) -> Any:
        made = self._plain(make, length)
        made.class_names, made._draws = self.class_names, self._draws
        if keeps_elements:
            made.image_info, made._batch_size = self.image_info, self._batch_size
            if length == self._length:
                made._samples = self._samples
        return made

    def with_options(self, options: Any = None, name: str | None = None) -> Self:
        """The same dataset: TensorFlow's options have no meaning here.

        Args:
            options: a `tf.data.Options`; without effect.
            name: without effect.
        """
        return self

    def apply(self, transformation_func: Callable[[Any], Any]) -> Any:
        """Call a function on the dataset: `transformation_func(self)`.

        Args:
            transformation_func: takes a dataset and gives another.
        """
        return transformation_func(self)

    # -- reading ---------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        number = self._passes
        self._passes += 1
        return self._make(number)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements with NumPy arrays in the place of tensors, for one pass."""
        return _NumpyIterator(map_leaves(lambda t: t.numpy() if isinstance(t, torch.Tensor) else t, x) for x in self)

    def get_single_element(self, name: str | None = None) -> Any:
        """The dataset's only element.

        Args:
            name: without effect.
        """
        return next(iter(self))

    def reduce(self, initial_state: Any, reduce_func: Callable[[Any, Any], Any], name: str | None = None) -> Any:
        """Fold all elements into one value.

        Args:
            initial_state: what the first call gets as state.
            reduce_func: `reduce_func(state, element)` gives the next state.
            name: without effect.

        Returns:
            The state after the last element.

        Example:
            >>> keras.utils.Dataset.range(5).reduce(0, lambda state, number: state + number)
            tensor(10)
        """
        state = map_leaves(to_leaf, initial_state)
        for element in self:
            state = map_leaves(to_leaf, reduce_func(state, element))
        return state

    def cardinality(self) -> torch.Tensor:
        """The number of elements as an int64 scalar: -1 where there is no end, -2 where nobody knows."""
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
        """The shapes and dtypes of one element, which is read to see; the batch axis is None."""

        def spec(leaf: Any) -> TensorSpec:
            shape: tuple[int | None, ...] = tuple(np.shape(leaf))
            dtype = leaf.dtype if isinstance(leaf, torch.Tensor) else "string"
            return TensorSpec((None, *shape[1:]) if self._batch_size and shape else shape, dtype)

        first = next(self._make(0), None)
        if first is None:
            raise InputError("An empty dataset has no element to describe.")
        return map_leaves(spec, first)

    def lightning_feed(self, training: bool, shuffle: bool = True) -> Feed:
        """What `fit`, `evaluate` and `predict` read from; the dataset's own order is kept, as in Keras.

        Args:
            training: whether devices may share samples to stay in step.
            shuffle: without effect: `Dataset.shuffle` says it.
        """
        return DatasetFeed(self, training)

    def __repr__(self) -> str:
        length = {INFINITE: "infinite", UNKNOWN: "unknown"}.get(self._length, self._length)
        return f"<Dataset length={length}, batch_size={self._batch_size}>"


def _unpickled(cls: type[Any], state: bytes) -> Any:
    made: Any = object.__new__(cls)
    made.__dict__.update(cloudpickle.loads(state))
    return made


class _NumpyIterator(Iterator[Any]):
    """Has TensorFlow's `.next()` beside Python's `next(iterator)`."""

    def __init__(self, elements: Iterator[Any]) -> None:
        self._elements = elements

    def __next__(self) -> Any:
        return next(self._elements)

    next = __next__
