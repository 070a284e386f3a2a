"""`tfa.callbacks`: what the engine does anyway, under Addons' names."""

from __future__ import annotations

import time
from typing import Any

from scene_lightning._usage_report import ledger
from scene_lightning.callbacks import Callback


class TQDMProgressBar(Callback):
    """Does nothing: `fit` draws its own progress.

    Args:
        **_: for Addons' sake, without effect.
    """

    def __init__(self, **_: Any) -> None:
        super().__init__()
        ledger.ignore("tfa.callbacks.TQDMProgressBar", "fit draws its own progress; verbose= sets it")


class TimeStopping(Callback):
    """Ends training at the end of the epoch in which its time is up.

    Args:
        seconds: from the start of training.
        verbose: 1 to say so.
    """

    def __init__(self, seconds: float = 86400, verbose: int = 0) -> None:
        super().__init__()
        self.seconds, self.verbose = seconds, verbose
        self._end = float("inf")
        self.stopped_epoch: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._end = time.monotonic() + self.seconds

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if time.monotonic() >= self._end:
            self.model.stop_training = True
            self.stopped_epoch = epoch

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch is not None and self.verbose:
            print(f"Timed stopping at epoch {self.stopped_epoch + 1} after training for {self.seconds} seconds")
