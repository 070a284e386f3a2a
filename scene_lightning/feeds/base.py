"""Feeds in; a Lightning data module out. A feed is where `fit`, `evaluate` and `predict` read batches from.

A feed gives raw batches on the host (images as uint8 where it can) and turns each into `(x, y, sample_weight)`
once it is on the device. What it gives is a pure function of (seed, epoch, position), so worker count, device
count and interruption change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
import torch


class Feed:
    """Where one verb reads from. Subclasses give `batches`; the rest has defaults.

    Attributes:
        steps: batches in one epoch on one device, or None when unknown (an endless generator).
        samples: images in one epoch over all devices, or None when unknown.
        batch_size: images a batch, or None when it varies.
        has_labels: whether `to_device_batch` gives a y.
        user_module: the user's own data module that it reads, if there is one: its transfer hooks are called.
        user_stage: the stage that `user_module` was set up for.
    """

    steps: int | None = None
    samples: int | None = None
    batch_size: int | None = None
    has_labels: bool = True
    user_module: L.LightningDataModule | None = None
    user_stage: str = "fit"

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Host batches of one epoch, for one of `world_size` devices. Anything Lightning can move to a device."""
        raise NotImplementedError

    def keep_on(self, device: torch.device) -> None:
        """Called before an epoch is read: what the feed may keep on the device, it copies there."""

    def to_device_batch(self, batch: Any, epoch: int, training: bool) -> tuple[Any, Any, Any]:
        """A batch that is already on the device → (x, y or None, sample_weight or None)."""
        return batch

    def on_source_batch(self, batch: Any, function: Callable[[Any], Any]) -> Any:
        """A host batch whose part that came from `user_module` went through `function`."""
        return function(batch)

    def steps_on(self, world_size: int) -> int | None:
        """Batches in one epoch on each of `world_size` devices."""
        return self.steps

    def on_epoch_end(self) -> None:
        """Called after each epoch that read this feed."""


class FeedLoader:
    """What Lightning iterates: one feed, read for the trainer's current epoch. Has a length only if the feed has."""

    def __init__(self, feed: Feed, module: FeedModule, training: bool) -> None:
        self.feed, self.module, self.training = feed, module, training
        if feed.steps is None or feed.steps_on(module.rank_and_world_size()[1]) is None:
            self.__class__ = _EndlessFeedLoader  # Lightning asks for __len__ by attribute

    def __iter__(self) -> Iterator[Any]:
        # A generator: the epoch is read when the first batch is asked for, not when Lightning calls iter(),
        # which it does for epoch 0 while it is still setting up (and before a checkpoint is restored).
        rank, world_size = self.module.rank_and_world_size()
        steps = self.feed.steps_on(world_size)
        given = 0
        if self.module.trainer is not None:
            self.feed.keep_on(self.module.trainer.strategy.root_device)
        for given, batch in enumerate(self.feed.batches(self.module.epoch, rank, world_size), start=1):
            if given == steps:  # Lightning asks for no more than that, so nothing runs after the last yield
                self.feed.on_epoch_end()
            yield batch
        if given != steps:
            self.feed.on_epoch_end()

    def __len__(self) -> int:
        steps = self.feed.steps_on(self.module.rank_and_world_size()[1])
        assert steps is not None
        return steps


class _EndlessFeedLoader(FeedLoader):
    __len__ = None  # type: ignore[assignment]


class FeedModule(L.LightningDataModule):
    """A Lightning data module over up to three feeds.

    Args:
        train, validation, predict: the feeds, each optional.
        epoch_offset: added to the trainer's epoch (Keras' `initial_epoch`).
    """

    def __init__(
        self,
        train: Feed | None = None,
        validation: Feed | None = None,
        predict: Feed | None = None,
        epoch_offset: int = 0,
    ) -> None:
        super().__init__()
        self.train_feed, self.validation_feed, self.predict_feed = train, validation, predict
        self.epoch_offset = epoch_offset

    @property
    def epoch(self) -> int:
        """The epoch that is being read, counted from 0 over the model's life."""
        return self.epoch_offset + (self.trainer.current_epoch if self.trainer is not None else 0)

    def rank_and_world_size(self) -> tuple[int, int]:
        """This process' place among the devices."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _sources(self) -> dict[L.LightningDataModule, str]:
        feeds = (self.train_feed, self.validation_feed, self.predict_feed)
        there = [feed for feed in feeds if feed is not None]
        return {feed.user_module: feed.user_stage for feed in there if feed.user_module is not None}

    def setup(self, stage: str) -> None:
        for source in self._sources():
            source.trainer = self.trainer

    def teardown(self, stage: str) -> None:
        for source, own_stage in self._sources().items():
            source.teardown(own_stage)

    def _feed_in_use(self) -> tuple[Feed | None, str]:
        """The feed of the present stage, and the step of the model that gets its batches."""
        if self.trainer is not None and self.trainer.training:
            return self.train_feed, "training_step"
        if self.trainer is not None and self.trainer.predicting:
            return self.predict_feed, "predict_step"
        return self.validation_feed, "validation_step"

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: what the order of the training data is drawn from."""
        seed = getattr(self._innermost(), "_seed", None)
        return {} if seed is None else {"seed": seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The reverse: a resumed run reads the data in the order in which it would have."""
        feed = self._innermost()
        if "seed" in state_dict and hasattr(feed, "_seed"):
            feed._seed = state_dict["seed"]

    def _innermost(self) -> Any:
        feed: Any = self.train_feed
        while hasattr(feed, "_feed"):
            feed = feed._feed
        return feed

    def _through_hook(self, name: str, batch: Any, *arguments: Any) -> Any:
        """A batch through a transfer hook of the user's data module, or else of the model, as in Lightning."""
        feed, _ = self._feed_in_use()
        assert feed is not None and self.trainer is not None
        owner = self.trainer.lightning_module if feed.user_module is None else feed.user_module
        return feed.on_source_batch(batch, lambda part: getattr(owner, name)(part, *arguments))

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return self._through_hook("on_before_batch_transfer", batch, dataloader_idx)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return self._through_hook("transfer_batch_to_device", batch, device, dataloader_idx)

    def train_dataloader(self) -> Any:
        return FeedLoader(self.train_feed, self, True) if self.train_feed is not None else []

    def val_dataloader(self) -> Any:
        return FeedLoader(self.validation_feed, self, False) if self.validation_feed is not None else []

    def test_dataloader(self) -> Any:
        return self.val_dataloader()

    def predict_dataloader(self) -> Any:
        return FeedLoader(self.predict_feed, self, False) if self.predict_feed is not None else []

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augmentation and rescaling happen here: on the device, on whole batches."""
        feed, step = self._feed_in_use()
        assert feed is not None
        ready = feed.to_device_batch(batch, self.epoch, step == "training_step")
        as_step_batch = getattr(self.trainer and self.trainer.lightning_module, "as_step_batch", None)
        if as_step_batch is not None:
            ready = as_step_batch(ready, step, dataloader_idx)
        # Lightning converts what the loader gives: indices or bytes, of which the feed has made floats only now.
        return ready if self.trainer is None else self.trainer.precision_plugin.convert_input(ready)
