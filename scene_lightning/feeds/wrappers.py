"""Changes what a feed gives: epochs of so many steps, or a weight for each class."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.sharding import Spare


class FeedWrapper(Feed):
    """Another feed as it is; subclasses change what they are for.

    Args:
        feed: the other feed.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.steps, self.samples, self.batch_size = feed.steps, feed.samples, feed.batch_size
        self.training, self.splits = feed.training, feed.splits
        self.user_module, self.user_stage = feed.user_module, feed.user_stage

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        return self._feed.batches(epoch, rank, world_size)

    def steps_on(self, world_size: int) -> int | None:
        return self._feed.steps_on(world_size)

    def to_device_batch(self, batch: Any, epoch: int, training: bool) -> tuple[Any, Any, Any]:
        return self._feed.to_device_batch(batch, epoch, training)

    def on_source_batch(self, batch: Any, function: Callable[[Any], Any]) -> Any:
        return self._feed.on_source_batch(batch, function)

    def keep_on(self, device: torch.device, passes: int = 1) -> None:
        self._feed.keep_on(device, passes)

    def on_run_end(self) -> None:
        self._feed.on_run_end()

    def on_epoch_end(self) -> None:
        self._feed.on_epoch_end()

    def push_back(self, batch: Any) -> None:
        self._feed.push_back(batch)

    @property
    def innermost(self) -> Feed:
        return self._feed.innermost


class SteppedFeed(FeedWrapper):
    """Another feed, cut into epochs of so many batches.

    When the data end early the epoch does too, with Keras' warning, and the next epoch starts again.

    Args:
        feed: the other feed.
        steps: batches an epoch, over all devices.
        going_on: whether the next epoch starts where the last one stopped (training); otherwise each one starts afresh
            (validation), unless the data come from a generator, which cannot.
        loop: read the data again when they end early.
    """

    steps: int

    def __init__(self, feed: Feed, steps: int, going_on: bool, loop: bool = False) -> None:
        super().__init__(feed)
        self._going_on, self._loop = going_on, loop
        self.steps = steps
        self.samples = None if feed.batch_size is None else steps * feed.batch_size
        self._iterator: Iterator[Any] | None = None
        self._passes = 0
        # An evaluation's batches are the first ones of one device, which the devices share out; those of a generator
        # can be counted only as they come.
        self._is_head = not going_on and feed.steps is not None and steps <= feed.steps
        if self._is_head:
            feed.innermost.head = steps

    def _next_pass(self, rank: int, world_size: int) -> Iterator[Any]:
        number = self._passes
        self._passes += 1
        # Each batch carries its pass: augmentation depends on how often an image was seen, not on the epoch.
        for batch in self._feed.batches(number, rank, world_size):
            yield Spare((number, batch.batch)) if isinstance(batch, Spare) else (number, batch)

    def steps_on(self, world_size: int) -> int | None:
        if self.splits or world_size == 1:
            return self.steps
        if self._is_head:
            return self._feed.steps_on(world_size)
        return math.ceil(self.steps / world_size)  # an epoch is as many samples, however many devices share it

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        if self._is_head and world_size > 1:
            yield from self._next_pass(rank, world_size)
            return
        iterator = self._iterator if self._going_on else None
        given, fresh, steps = 0, iterator is None, self.steps_on(world_size)
        while steps is not None and given < steps:
            iterator = iterator or self._next_pass(rank, world_size)
            batch = next(iterator, None)
            if batch is not None:
                given, fresh = given + 1, False
                self._iterator = iterator
                yield batch
                continue
            self._iterator = iterator = None
            if given and self._loop:
                self._feed.on_epoch_end()
            if not self._loop and (given or fresh):
                warnings.warn(
                    "Your input ran out of data; interrupting training. Make sure that your dataset or generator can "
                    f"generate at least `steps_per_epoch * epochs` batches ({self.steps} were asked for, {given} came)",
                    stacklevel=2,
                )
                return
            if fresh:
                return
            fresh = True

    def on_source_batch(self, batch: Any, function: Callable[[Any], Any]) -> Any:
        number, inner = batch
        return number, self._feed.on_source_batch(inner, function)

    def to_device_batch(self, batch: Any, epoch: int, training: bool) -> tuple[Any, Any, Any]:
        number, inner = batch
        return self._feed.to_device_batch(inner, int(number), training)

    def push_back(self, batch: Any) -> None:
        self._passes, self._iterator = 0, None
        self._feed.push_back(batch[1])


class ClassWeightedFeed(FeedWrapper):
    """Another feed with a weight per sample, looked up by its class.

    Args:
        feed: the other feed.
        class_weight: class number → weight; classes that are not named weigh 1.

    Raises:
        InputError: other keys or values than numbers.
    """

    def __init__(self, feed: Feed, class_weight: Mapping[int, float]) -> None:
        super().__init__(feed)
        try:
            weights = {int(key): float(value) for key, value in class_weight.items()}
        except (TypeError, ValueError, AttributeError):
            raise InputError(f"class_weight must map class indices to numbers; received {class_weight!r}.") from None
        self._weights = torch.ones(max(weights, default=0) + 1)
        for key, value in weights.items():
            self._weights[key] = value

    def to_device_batch(self, batch: Any, epoch: int, training: bool) -> tuple[Any, Any, Any]:
        x, y, sample_weight = self._feed.to_device_batch(batch, epoch, training)
        if sample_weight is not None:
            raise InputError("You cannot pass `class_weight` and `sample_weight` at the same time.")
        y_number = y.int() if y.dtype == torch.bool else y
        labels = y_number.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y_number.reshape(y.shape[0]).round().long()
        self._weights = weights = self._weights.to(labels.device)  # where they stay for the next batch
        known = labels.clamp(0, len(weights) - 1)
        return x, y, torch.where(labels < len(weights), weights[known], torch.ones((), device=labels.device))
