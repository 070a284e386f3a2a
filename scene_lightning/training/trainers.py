"""Makes Lightning's Trainers, silent ones: what a verb prints are Keras' lines."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
from lightning.fabric.utilities import registry

from scene_lightning.training.devices import Hardware, trainer_arguments

_QUIET = ("lightning.pytorch", "lightning.fabric")

# Each Trainer would read the metadata of every installed package, to see whether one brings callbacks.
if hasattr(registry, "entry_points"):
    setattr(registry, "entry_points", functools.cache(registry.entry_points))  # noqa: B010  # not in its stub


class _Errors(logging.Handler):
    """In place of a logger's own handlers, which hear of errors alone: setting a level is dearer."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logging.ERROR)
        self._logger, self._before = logger, (logger.handlers, logger.propagate)
        logger.handlers, logger.propagate = [self], False

    def emit(self, record: logging.LogRecord) -> None:
        """To whom it would have gone."""
        here = self._logger.handlers, self._logger.propagate
        self._logger.handlers, self._logger.propagate = self._before
        try:
            self._logger.callHandlers(record)
        finally:
            self._logger.handlers, self._logger.propagate = here

    def end(self) -> None:
        """The logger's own handlers again, and those that were added meanwhile."""
        handlers, propagate = self._before
        handlers += (handler for handler in self._logger.handlers if handler is not self)
        self._logger.handlers, self._logger.propagate = handlers, propagate


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Without Lightning's own announcements: `fit`, `evaluate` and `predict` print Keras' lines."""
    quieted = [_Errors(logging.getLogger(name)) for name in _QUIET]
    with warnings.catch_warnings():
        # They advise about DataLoader workers, loggers and checkpoints that `fit` and its like do not use.
        warnings.filterwarnings("ignore", module=r"lightning\.(pytorch|fabric).*")
        warnings.filterwarnings("ignore", message=r".*(does not have many workers|treespec|LeafSpec).*")
        try:
            yield
        finally:
            for errors in quieted:
                errors.end()


def make_trainer(hardware: Hardware, callbacks: list[L.Callback], **options: Any) -> L.Trainer:
    """A `Trainer` that does nothing by itself: no logger, checkpoint, bar, summary or sanity check.

    Args:
        hardware: what to run on.
        callbacks: Lightning callbacks.
        **options: further arguments of the `Trainer`, which win over those set here.
    """
    checkpointing = any(isinstance(c, L.pytorch.callbacks.Checkpoint) for c in callbacks)
    settings: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": checkpointing,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,  # it would take batches from generators and call callbacks
        "callbacks": callbacks,
        "use_distributed_sampler": False,  # feeds share themselves out
    }
    return L.Trainer(**{**settings, **trainer_arguments(hardware), **options})
