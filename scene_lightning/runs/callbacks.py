"""Writes a run folder's checkpoints, metrics and curves during training, each file complete or absent."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from scene_lightning import callbacks
from scene_lightning._main_process import is_main_process
from scene_lightning.reports import plots
from scene_lightning.reports.metrics_file import as_history, write_metrics
from scene_lightning.reports.run_folder import BEST, CURVES, LAST, METRICS


class CompleteCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint under one fixed name, which a reader never sees half-written.

    Args:
        seen: which images have trained these weights and chosen this epoch, as a model's file keeps it.
        **options: `ModelCheckpoint`'s own.
    """

    def __init__(self, seen: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._seen = seen

    def _save_checkpoint(self, trainer: L.Trainer, filepath: str) -> None:
        partial = f"{filepath}.part"
        model: Any = trainer.lightning_module
        model._images_seen = self._seen
        super()._save_checkpoint(trainer, partial)
        if trainer.is_global_zero:
            os.replace(partial, filepath)
        trainer.strategy.barrier("checkpoint renamed")
        self._last_checkpoint_saved = filepath


class AveragedCheckpoint(CompleteCheckpoint):
    """A checkpoint of the averaged weights, which were validated; training goes on with its own.

    Args:
        swap: the callback that averages the weights.
        **options: as for `CompleteCheckpoint`.
    """

    def __init__(self, swap: callbacks.SwapEMAWeights, **options: Any) -> None:
        super().__init__(**options)
        self._swap = swap

    def _save_checkpoint(self, trainer: L.Trainer, filepath: str) -> None:
        with self._swap.averaged():
            super()._save_checkpoint(trainer, filepath)


def checkpoints(
    folder: Path,
    monitor: str,
    swap: callbacks.SwapEMAWeights | None = None,
    seen: tuple[str | None, str | None] = (None, None),
) -> list[CompleteCheckpoint]:
    """Make the callbacks of best.ckpt (the epoch with the best `monitor`) and last.ckpt (the latest epoch).

    Args:
        seen: which images they have seen, best.ckpt and last.ckpt.
        swap: when the averaged weights are validated, they are what best.ckpt keeps; last.ckpt keeps all.
        folder: the run's.
        monitor: a key of the logs, such as "val_loss".
    """
    shared: dict[str, Any] = {
        "dirpath": folder.resolve(),
        "save_top_k": 1,
        "auto_insert_metric_name": False,
        "enable_version_counter": False,
        "save_on_train_epoch_end": True,  # at validation's end the epoch would count as unfinished
    }
    mode = "min" if monitor.endswith("loss") else "max"
    best: dict[str, Any] = {"filename": Path(BEST).stem, "monitor": monitor, "mode": mode, "seen": seen[0], **shared}
    return [
        CompleteCheckpoint(**best) if swap is None else AveragedCheckpoint(swap, **best),
        CompleteCheckpoint(filename=Path(LAST).stem, seen=seen[1], **shared),
    ]


class RunRecorder(callbacks.Callback):
    """Writes metrics.csv and curves.png after each epoch.

    Args:
        folder: the run's.
        earlier: rows of epochs that were trained before this process took up the run.
    """

    def __init__(self, folder: Path, earlier: list[dict[str, Any]] | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.rows = list(earlier or [])
        self._started = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        seconds = round(time.perf_counter() - self._started, 2)
        self.rows.append({"epoch": epoch + 1, **dict(logs or {}), "seconds": seconds})
        if is_main_process():
            write_metrics(self.folder / METRICS, self.rows)
            plots.plot_curves(as_history(self.rows), self.folder / CURVES)
