"""Says what a feed is, where `fit`, `evaluate` and `predict` read batches from, and hands feeds to Lightning.

A feed gives raw batches on the host (images as uint8 where it can) and turns each into `(x, y, sample_weight)` once it
is on the device. What it gives is a function of (seed, epoch, position) alone, so the number of workers or devices and
interruptions change nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, final

import lightning as L
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden

from scene_lightning.data.decode import Unreadable
from scene_lightning.errors import DataError, InputError
from scene_lightning.feeds import packing
from scene_lightning.feeds.prefetch import prefetched
from scene_lightning.feeds.sharding import (
    Indices,
    Spare,
    deal,
    from_first_process,
    rank_batches,
    rounds_in,
    steps_per_epoch,
)
from scene_lightning.feeds.waiting import reporting_waits
from scene_lightning.tree import map_structure


class Feed:
    """Where one verb reads from: a `PlannedFeed`, a `StreamedFeed`, or one of them in a `FeedWrapper`.

    Attributes:
        steps: batches in one epoch on one device, or None when unknown (an endless generator).
        samples: samples in one epoch over all devices, or None when unknown.
        batch_size: samples a batch, or None when it varies.
        training: whether it is trained on, so that all devices must take as many steps.
        head: of an evaluation on several devices, how many batches they share out, from the first; None takes all.
        splits: whether the devices take each batch together, a part each; otherwise each takes batches of its own.
        seed: what the order is drawn from; kept in checkpoints, so that a resumed run reads as it would have.
        prefetch: batches made ahead by a background thread.
        user_module: the user's own data module that it reads, if there is one: its transfer hooks are called.
        user_stage: the stage that `user_module` was set up for.
        unreadable: files that were left out, by path.
        source_name: what it reads, in words, for whoever waits for it; empty where nobody ever does.
        pins: whether batches go to a GPU, from page-locked memory.
    """

    steps: int | None = None
    samples: int | None = None
    batch_size: int | None = None
    training: bool = True
    head: int | None = None
    splits: bool = False
    seed: int = 0
    prefetch: int = 0
    user_module: L.LightningDataModule | None = None
    user_stage: str = "fit"
    unreadable: dict[str, Unreadable] = {}
    source_name: str = "the data"
    pins: bool = False
    _agreed = False

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Host batches of one epoch, for one of `world_size` devices. Anything Lightning can move to a device.

        Args:
            epoch: counted from 0 over the model's life.
            rank: number of the device, from 0.
            world_size: number of devices.
        """
        raise NotImplementedError

    def steps_on(self, world_size: int) -> int | None:
        """Batches in one epoch on each of `world_size` devices, or None when unknown."""
        raise NotImplementedError

    def to_device_batch(self, batch: Any, epoch: int, training: bool) -> tuple[Any, Any, Any]:
        """Make (x, y or None, sample_weight or None) of a batch that is already on the device.

        Args:
            batch: one of `batches`, moved.
            epoch: counted from 0.
            training: whether it is trained on.
        """
        return batch

    def on_source_batch(self, batch: Any, function: Callable[[Any], Any]) -> Any:
        """A host batch whose part that came from `user_module` went through `function`."""
        return function(batch)

    def keep_on(self, device: torch.device, passes: int = 1) -> None:
        """Called before an epoch is read: what the feed may keep on the device, it copies there.

        Args:
            device: where batches go.
            passes: how many epochs the run will read from now on, this one with them.
        """
        self.pins = packing.can_pin(device)

    def on_run_end(self) -> None:
        """Called after a run of Lightning's: what was kept for it alone is let go."""

    def on_epoch_end(self) -> None:
        """Called after each epoch that read this feed."""

    @property
    def innermost(self) -> Feed:
        """The feed within all wrappers."""
        return self

    def peek(self) -> Any:
        """The inputs of the first batch, without using it up: to build a model whose input shape is not known yet.

        Raises:
            InputError: there is not even one batch.
        """
        batch = next(iter(self.batches(0)), None)
        if batch is None:
            raise InputError("The data are empty: not even one batch came.")
        self.push_back(batch)
        return self.to_device_batch(batch, 0, False)[0]

    def push_back(self, batch: Any) -> None:
        """Take back a batch that was only looked at, where it would not come again by itself."""

    def agree(self) -> None:
        """Take over what the first of several processes drew at random: all must read one order."""
        self.seed = from_first_process(self.seed)

    def _head_on(self, world_size: int) -> int | None:
        return self.head if world_size > 1 else None

    def _agree_once(self, world_size: int) -> None:
        if world_size > 1 and not self._agreed:
            self.agree()
            self._agreed = True


class PlannedFeed(Feed):
    """A feed that knows which samples each batch of an epoch will hold. Subclasses give `plan` and `read`.

    Attributes:
        idle: whether devices may go without a sample where an evaluation has fewer samples than there are devices.
    """

    samples: int
    batch_size: int
    idle: bool = False

    def plan(self, epoch: int) -> list[Indices]:
        """The sample indices of each batch of `epoch`, on one device."""
        raise NotImplementedError

    def read(self, indices: Indices, epoch: int) -> Any:
        """The batch of these samples; None where not one of them can be read."""
        raise NotImplementedError

    def samples_of(self, epoch: int, step: int, rank: int = 0, world_size: int = 1) -> Indices:
        """The sample indices of one batch, for a message about it.

        Args:
            epoch: counted from 0.
            step: counted from 0 in its epoch.
            rank: number of the device, from 0.
            world_size: number of devices.
        """
        return self._share_of(self.plan(epoch)[: self._head_on(world_size)], rank, world_size)[step]

    def _share_of(self, plan: list[Indices], rank: int, world_size: int) -> list[Indices]:
        return rank_batches(plan, self.batch_size, rank, world_size, self.training, self.idle)

    @property
    def splits(self) -> bool:  # type: ignore[override]
        return self.training

    @final
    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        self._agree_once(world_size)
        plan = self.plan(epoch)[: self._head_on(world_size)]
        share = self._share_of(plan, rank, world_size)

        def read() -> Iterator[Any]:
            for step, indices in enumerate(share):
                batch = self.read(indices if len(indices) else plan[step][:1], epoch)
                if batch is not None:
                    yield batch if len(indices) else Spare(batch)
                elif world_size > 1 and self.training:
                    raise DataError(
                        f"No sample of a whole batch can be read, such as {next(iter(self.unreadable))!r}; the devices "
                        "would fall out of step. Remove these files, or use one device."
                    )

        return prefetched(read, self.prefetch)

    @final
    def steps_on(self, world_size: int) -> int:
        head = self._head_on(world_size)
        samples = self.samples if head is None else min(self.samples, head * self.batch_size)
        return steps_per_epoch(samples, self.batch_size, world_size, self.training, self.idle)


class StreamedFeed(Feed):
    """A feed whose batches come one after the other. Subclasses give `stream`.

    Attributes:
        divisible: whether batches can be cut and joined; those in a form of the user's own cannot.
    """

    divisible: bool = True

    def stream(self, epoch: int) -> Iterator[Callable[[], Any]]:
        """What makes each batch of `epoch`, in the order of one device; a device calls only what it reads."""
        raise NotImplementedError

    @final
    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        self._agree_once(world_size)

        def read() -> Iterator[Any]:
            batches = itertools.islice(self.stream(epoch), self._head_on(world_size))
            for batch in deal(batches, rank, world_size, self.training, self.divisible):
                yield map_structure(packing.pinned, batch) if self.pins and self.divisible else batch

        return prefetched(read, self.prefetch)

    @final
    def steps_on(self, world_size: int) -> int | None:
        head, samples = self._head_on(world_size), self.samples
        if head is not None and head != self.steps:  # whole batches, as only the last of all may be smaller
            samples = None if self.batch_size is None else head * self.batch_size
        return rounds_in(self.steps if head is None else head, self.batch_size, samples, world_size, self.training)


class _FeedLoader:
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
            self.feed.keep_on(self.module.trainer.strategy.root_device, self.module.passes())
        batches, source = self.feed.batches(self.module.epoch, rank, world_size), self.feed.innermost.source_name
        for given, batch in enumerate(reporting_waits(batches, source) if source else batches, start=1):
            if given == steps:  # Lightning asks for no more than that, so nothing runs after the last yield
                self.feed.on_epoch_end()
            yield batch
        if given != steps:
            self.feed.on_epoch_end()

    def __len__(self) -> int:
        steps = self.feed.steps_on(self.module.rank_and_world_size()[1])
        assert steps is not None
        return steps


class _EndlessFeedLoader(_FeedLoader):
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
        self.spare = False  # whether the batch of the step is a `Spare` one

    @property
    def epoch(self) -> int:
        """The epoch that is being read, counted from 0 over the model's life."""
        return self.epoch_offset + (self.trainer.current_epoch if self.trainer is not None else 0)

    def rank_and_world_size(self) -> tuple[int, int]:
        """This process' place among the devices."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def passes(self) -> int:
        """How many epochs of `fit` are still to come, with the one that begins.

        1 where it is no `fit`, and where hooks of the user's own are to see each batch on the host.
        """
        model, trainer = self.trainer and self.trainer.lightning_module, self.trainer
        if trainer is None or trainer.state.fn != "fit":
            return 1
        if any(is_overridden(hook, model) for hook in ("on_before_batch_transfer", "transfer_batch_to_device")):
            return 1
        return 2 if trainer.max_epochs in (None, -1) else trainer.max_epochs - trainer.current_epoch

    def _feeds(self) -> list[Feed]:
        return [feed for feed in (self.train_feed, self.validation_feed, self.predict_feed) if feed is not None]

    def _sources(self) -> dict[L.LightningDataModule, str]:
        return {feed.user_module: feed.user_stage for feed in self._feeds() if feed.user_module is not None}

    def setup(self, stage: str) -> None:
        for source in self._sources():
            source.trainer = self.trainer

    def teardown(self, stage: str) -> None:
        for source, own_stage in self._sources().items():
            source.teardown(own_stage)
        for feed in self._feeds():
            feed.on_run_end()

    def _feed_in_use(self) -> tuple[Feed | None, str]:
        """The feed of the present stage, and the step of the model that gets its batches."""
        if self.trainer is not None and self.trainer.training:
            return self.train_feed, "training_step"
        if self.trainer is not None and self.trainer.predicting:
            return self.predict_feed, "predict_step"
        return self.validation_feed, "validation_step"

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: what the order of the training data is drawn from."""
        return {} if self.train_feed is None else {"seed": self.train_feed.innermost.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The reverse: a resumed run reads the data in the order in which it would have."""
        if "seed" in state_dict and self.train_feed is not None:
            self.train_feed.innermost.seed = state_dict["seed"]

    def _through_hook(self, name: str, batch: Any, *arguments: Any) -> Any:
        """A batch through a transfer hook of the user's data module, or else of the model, as in Lightning."""
        feed, _ = self._feed_in_use()
        assert feed is not None and self.trainer is not None
        if isinstance(batch, Spare):
            return Spare(self._through_hook(name, batch.batch, *arguments))
        owner = self.trainer.lightning_module if feed.user_module is None else feed.user_module
        return feed.on_source_batch(batch, lambda part: getattr(owner, name)(part, *arguments))

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return self._through_hook("on_before_batch_transfer", batch, dataloader_idx)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return self._through_hook("transfer_batch_to_device", batch, device, dataloader_idx)

    def train_dataloader(self) -> Any:
        return _FeedLoader(self.train_feed, self, True) if self.train_feed is not None else []

    def val_dataloader(self) -> Any:
        return _FeedLoader(self.validation_feed, self, False) if self.validation_feed is not None else []

    def test_dataloader(self) -> Any:
        return self.val_dataloader()

    def predict_dataloader(self) -> Any:
        return _FeedLoader(self.predict_feed, self, False) if self.predict_feed is not None else []

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augmentation and rescaling happen here: on the device, on whole batches."""
        feed, step = self._feed_in_use()
        assert feed is not None
        self.spare = isinstance(batch, Spare)
        batch = batch.batch if isinstance(batch, Spare) else batch
        ready = feed.to_device_batch(batch, self.epoch, step == "training_step")
        as_step_batch = getattr(self.trainer and self.trainer.lightning_module, "as_step_batch", None)
        if as_step_batch is not None:
            ready = as_step_batch(ready, step, dataloader_idx)
        # Lightning converts what the loader gives: indices or bytes, of which the feed has made floats only now.
        return ready if self.trainer is None else self.trainer.precision_plugin.convert_input(ready)
