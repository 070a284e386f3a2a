"""Brings what each process of a run on several devices has predicted to all of them, in the order of the samples."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from typing import Any

import lightning as L
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher

from scene_lightning.errors import DataError, InputError
from scene_lightning.feeds.base import Feed, PlannedFeed
from scene_lightning.training.launch import has_lost_a_process


def check_several(trainer: L.Trainer, feed: Feed) -> None:
    """Check that predictions of several processes can be put in order.

    Args:
        trainer: the one that is to predict.
        feed: what it is to read.

    Raises:
        InputError: they cannot: the feed deals out whole batches, or the processes end with their answers.
    """
    if not isinstance(feed, PlannedFeed):
        raise InputError(
            "predict() reads generators, loaders and datasets on one device, so that the answers stay in order: "
            "pass devices=1. Arrays and folders of images can be shared out."
        )
    if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        raise InputError(
            "predict() on several devices needs strategy='ddp', which starts the program once a device; or pass "
            "devices=1."
        )


class OutputsOfProcesses:
    """The outputs of this process' part of the samples, on the disk until all have theirs: memory stays the same."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it has been read
        self._batches = 0

    def add(self, outputs: Any) -> None:
        """Keep the outputs of one batch.

        Args:
            outputs: arrays.
        """
        pickle.dump(outputs, self._file)
        self._batches += 1

    def in_order(self, trainer: L.Trainer, feed: Feed) -> Iterator[Any]:
        """The outputs of all processes, batch by batch; the parts of the samples follow one another by rank.

        Args:
            trainer: the one that has predicted.
            feed: what it has read; it learns which files the other processes could not read.

        Raises:
            DataError: a process has ended with an error, which it has told.
        """
        try:
            yield from self._in_order(trainer, feed)
        except RuntimeError as error:
            if has_lost_a_process(error):
                raise DataError("The process of another device has ended; its error is above.") from error
            raise

    def _in_order(self, trainer: L.Trainer, feed: Feed) -> Iterator[Any]:
        self._file.seek(0)
        for rank in range(trainer.world_size):
            own = rank == trainer.global_rank
            here = (self._batches, dict(feed.unreadable)) if own else None
            batches, unreadable = trainer.strategy.broadcast(here, src=rank)  # type: ignore[misc]
            if unreadable:
                feed.unreadable.update(unreadable)
            for _ in range(batches):
                yield trainer.strategy.broadcast(pickle.load(self._file) if own else None, src=rank)
        self._file.close()
