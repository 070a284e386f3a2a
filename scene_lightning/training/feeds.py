"""Whatever Keras' `fit` takes in; feeds out. Arrays, tensors, loaders, generators, `Sequence`s, datasets, iterators."""

from __future__ import annotations

import inspect
import itertools
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from scene_lightning.data.datamodule import Feed
from scene_lightning.errors import InputError
from scene_lightning.layers.base.legacy_spelling import old_keras
from scene_lightning.layers.base.symbolic import flatten, map_structure
from scene_lightning.training.feed_wrappers import ClassWeightedFeed, SteppedFeed
from scene_lightning.training.module import unpack_batch
from scene_lightning.training.rounds import dealt, from_first_process, rounds_in
from scene_lightning.training.usage_report import ledger


def as_feed(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    shuffle: Any = True,
    training: bool,
    class_weight: Mapping[int, float] | None = None,
    steps: Any = None,
    loop: bool = False,
) -> Feed:
    """The feed for `x` (and `y`).

    Args:
        batch_size: images a batch of arrays; None or 0 means 32.
        steps: batches an epoch; with it an iterator goes on where the last epoch stopped. None or 0 means all.
        loop: start again without a word when the data end before `steps` (Keras 2's `fit_generator`).

    Raises:
        InputError: lengths that differ, targets beside a generator, an unknown kind of data.
    """
    if class_weight is not None and not isinstance(class_weight, Mapping) and (loop or old_keras.evidence):
        shown = repr(class_weight) if isinstance(class_weight, str) else type(class_weight).__name__
        ledger.ignore(f"class_weight={shown}", "Keras 2 ignored all but a dict {class: weight}")
        class_weight = None
    if class_weight is not None and sample_weight is not None:
        raise InputError("You cannot pass `class_weight` and `sample_weight` at the same time.")
    feed = _plain_feed(x, y, sample_weight, batch_size, shuffle, training, class_weight)
    if class_weight is not None:
        feed = ClassWeightedFeed(feed, class_weight)
    if steps:  # 0, as integer division of small folders gives, means all, as in Keras
        if steps < 0:
            raise InputError(f"The number of steps must be positive (0 or None: all); received {steps!r}.")
        feed = SteppedFeed(feed, math.ceil(steps), going_on=training, loop=loop)
    return feed


def _plain_feed(
    x: Any, y: Any, w: Any, batch_size: int | None, shuffle: Any, training: bool, class_weight: Any
) -> Feed:
    if isinstance(x, Feed):
        return x
    if x is None:
        raise InputError("There is no data: x is None. Pass an array, an iterator, a loader or a dataset.")
    if not _is_array_like(x) or hasattr(x, "lightning_feed"):
        if y is not None:
            raise InputError(
                f"`y` must not be given when `x` is a {type(x).__name__}: the targets come from `x` itself, as "
                "(inputs, targets) batches."
            )
        if hasattr(x, "lightning_feed"):
            return x.lightning_feed(training=training, shuffle=bool(shuffle))
        if isinstance(x, torch.utils.data.Dataset) and not isinstance(x, torch.utils.data.IterableDataset):
            x = torch.utils.data.DataLoader(x, batch_size=batch_size or 32, shuffle=training and bool(shuffle))
        if _is_sequence_object(x):
            return SequenceFeed(x, shuffle=training and bool(shuffle), training=training)
        if not isinstance(x, Iterable):
            raise InputError(
                f"Cannot read batches from {type(x).__name__}. Expected arrays, tensors, a DataLoader, a "
                "generator, a Sequence, a dataset or a directory iterator."
            )
        return IterableFeed(x, training)
    return ArrayFeed(x, y, w, batch_size or 32, shuffle if training else False, training)


def _is_array_like(x: Any) -> bool:
    if isinstance(x, np.ndarray | torch.Tensor) or hasattr(x, "to_numpy") or type(x).__module__.startswith("PIL"):
        return True
    if isinstance(x, Mapping):
        return all(_is_array_like(value) for value in x.values())
    return isinstance(x, list | tuple)


def _is_sequence_object(x: Any) -> bool:
    return hasattr(x, "__getitem__") and hasattr(x, "__len__") and not isinstance(x, torch.utils.data.DataLoader)


def to_tensor(value: Any) -> Any:
    """One array-like leaf → a tensor; float64 becomes float32, as in Keras. None stays None."""
    if value is None or isinstance(value, torch.Tensor):
        return value
    if hasattr(value, "to_numpy"):  # pandas
        value = value.to_numpy()
    array = np.asarray(value)
    if array.dtype == object:
        raise InputError(
            "The data cannot be made one array: its items differ in shape or type. Give every image the same size "
            "(for example load_img(path, target_size=(150, 150))) and stack them with np.stack."
        )
    if array.dtype.kind in "US":
        raise InputError("The targets are strings. Make them numbers first, for example with to_categorical.")
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array) if array.ndim else torch.as_tensor(array)


class ArrayFeed(Feed):
    """Arrays or tensors held in memory, cut into batches; the last one may be smaller.

    `shuffle=True` draws a new order each epoch; `"batch"` shuffles only inside each batch. In training all devices take
    as many steps, so samples may be repeated; otherwise each sample comes once.
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any, batch_size: int, shuffle: Any, even: bool = True) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise InputError(f"batch_size must be a positive integer; received {batch_size!r}.")
        y, sample_weight = _plain_list(y), _plain_list(sample_weight)
        x = _stack_samples(_plain_list(x), y)
        self._parts = tuple(map_structure(_array_leaf, part) for part in (x, y, sample_weight))
        lengths = {len(leaf) for part in self._parts for leaf in flatten(part) if leaf is not None}
        if len(lengths) != 1:
            raise InputError(
                f"Data cardinality is ambiguous: the arrays have lengths {sorted(lengths)}. "
                "All inputs, targets and weights need the same first dimension."
            )
        self.samples = lengths.pop()
        if self.samples == 0:
            raise InputError("The data are empty: 0 samples.")
        self.batch_size, self.shuffle, self._even = int(batch_size), shuffle, even
        self.steps = math.ceil(self.samples / self.batch_size)
        self.has_labels = y is not None
        # From torch's global stream, so that set_random_seed decides the order.
        self._seed = int(torch.randint(2**62, (), device="cpu").item()) if shuffle else 0

    def order(self, epoch: int) -> torch.Tensor:
        """Which sample comes when: a function of the seed and the epoch alone."""
        assert self.samples is not None and self.batch_size is not None
        if not self.shuffle:
            return torch.arange(self.samples, device="cpu")
        generator = torch.Generator().manual_seed((self._seed + epoch) % 2**63)
        if self.shuffle == "batch":
            starts = range(0, self.samples, self.batch_size)
            sizes = [min(self.batch_size, self.samples - start) for start in starts]
            parts = [
                start + torch.randperm(size, generator=generator, device="cpu")
                for start, size in zip(starts, sizes, strict=True)
            ]
            return torch.cat(parts)
        return torch.randperm(self.samples, generator=generator, device="cpu")

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        assert self.batch_size is not None
        if self.shuffle:
            self._seed = from_first_process(self._seed, world_size)
        order = self.order(epoch)
        if world_size > 1:
            order = shard(order, rank, world_size) if self._even else order[rank::world_size]
        for start in range(0, len(order), self.batch_size):
            index = order[start : start + self.batch_size]
            yield tuple(map_structure(partial(_take, index=index), part) for part in self._parts)

    def steps_on(self, world_size: int) -> int:
        assert self.batch_size is not None and self.samples is not None
        return math.ceil(math.ceil(self.samples / world_size) / self.batch_size)


def shard(order: torch.Tensor, rank: int, world_size: int) -> torch.Tensor:
    """This rank's share of `order`: every rank gets the same number, the first samples filling up."""
    short = -len(order) % world_size
    return torch.cat([order, order[:short]])[rank::world_size] if short else order[rank::world_size]


def _plain_list(value: Any) -> Any:
    """A list of numbers, or of lists of numbers, → an array; a list of arrays stays a list."""
    if isinstance(value, list | tuple) and not any(
        isinstance(item, np.ndarray | torch.Tensor | dict) for item in value
    ):
        try:
            return np.asarray(value)
        except ValueError:  # ragged
            return to_tensor(np.asarray(value, dtype=object))
    return value


def _stack_samples(x: Any, y: Any) -> Any:
    """A plain list of images (one array each) is one input; a list of as many arrays as inputs is several."""
    if not isinstance(x, list | tuple) or not x:
        return x
    rank_three = all(getattr(item, "ndim", 0) <= 3 for item in x)
    targets = flatten(y)[0] if y is not None else None
    count = len(targets) if targets is not None and hasattr(targets, "__len__") else None
    if rank_three and len(x) > 1 and count == len(x):
        if len({np.shape(item) for item in x}) > 1:
            to_tensor(np.asarray([None]))
        return np.stack([np.asarray(item) for item in x])
    return x


def _array_leaf(leaf: Any) -> Any:
    if leaf is None or isinstance(leaf, torch.Tensor):
        return leaf
    if hasattr(leaf, "to_numpy"):
        leaf = leaf.to_numpy()
    array = np.asarray(leaf)
    if array.dtype.kind in "USO":
        to_tensor(array)
    if array.ndim == 0:
        raise InputError(f"Expected arrays with a batch axis; received the single value {leaf!r}.")
    return array


def _take(leaf: Any, index: torch.Tensor) -> Any:
    if leaf is None:
        return None
    if isinstance(leaf, torch.Tensor):
        return leaf[index.to(leaf.device)]
    return to_tensor(leaf[index.numpy()])


class IterableFeed(Feed):
    """A loader, generator or any iterable of batches: used as it is, order and all."""

    def __init__(self, source: Iterable[Any], training: bool = True) -> None:
        self._source, self._training = source, training
        self._one_shot = isinstance(source, Iterator) or inspect.isgenerator(source)
        self._iterator: Iterator[Any] | None = iter(source) if self._one_shot else None
        self.steps = _length(source)
        self.samples = None
        dataset = getattr(source, "dataset", None)
        if isinstance(source, torch.utils.data.DataLoader) and not source.drop_last:
            self.samples = _length(dataset)
        self.batch_size = getattr(source, "batch_size", None)

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        iterator = self._iterator if self._iterator is not None else iter(self._source)
        yield from dealt((partial(_as_tensors, batch) for batch in iterator), rank, world_size, self._training)

    def raw_batches(self, rank: int, world_size: int) -> Iterator[Any]:
        """This device's batches as the source gives them."""
        iterator = self._iterator if self._iterator is not None else iter(self._source)
        while group := list(itertools.islice(iterator, world_size)):
            # Every rank must take as many steps: in the last round the batches that are there fill the gaps.
            yield group[rank % len(group)]

    def steps_on(self, world_size: int) -> int | None:
        return rounds_in(self.steps, self.batch_size, self.samples, world_size, self._training)

    def push_back(self, batch: Any) -> None:
        """Give a batch back that was only looked at: a generator cannot be started again."""
        if self._iterator is not None:
            self._iterator = itertools.chain([batch], self._iterator)


def _as_tensors(batch: Any) -> Any:
    return map_structure(to_tensor, unpack_batch(batch))


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None


class SequenceFeed(Feed):
    """A `keras.utils.Sequence`/`PyDataset`: batch i is `sequence[i]`; the order of batches is shuffled in training."""

    def __init__(self, sequence: Any, shuffle: bool, training: bool = True) -> None:
        self._sequence, self._shuffle, self._training = sequence, shuffle, training
        self._seed = int(torch.randint(2**62, (), device="cpu").item()) if shuffle else 0
        self.steps = len(sequence)

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        self._tell("on_epoch_begin")
        order = torch.arange(len(self._sequence), device="cpu")
        if self._shuffle and world_size > 1:  # one order for all processes
            self._seed = from_first_process(self._seed, world_size)
            generator = torch.Generator().manual_seed(self._seed + epoch)
            order = order[torch.randperm(len(order), generator=generator, device="cpu")]
        elif self._shuffle:
            shuffled = order.tolist()
            random.shuffle(shuffled)  # Python's generator, as in Keras
            order = torch.tensor(shuffled, dtype=torch.int64, device="cpu")
        makers = (partial(self._batch, index) for index in order.tolist())
        yield from dealt(makers, rank, world_size, self._training)

    def _batch(self, index: int) -> Any:
        return _as_tensors(self._sequence[index])

    def steps_on(self, world_size: int) -> int | None:
        return rounds_in(len(self._sequence), None, None, world_size, self._training)

    def on_epoch_end(self) -> None:
        self._tell("on_epoch_end")

    def _tell(self, event: str) -> None:
        hook = getattr(self._sequence, event, None)
        if hook is not None:
            hook()
