"""Writes a run's metrics and curves after each epoch, and ends a training whose loss is no longer a number."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch

from scene_lightning import callbacks
from scene_lightning._atomic_write import atomic_write
from scene_lightning._main_process import is_main_process
from scene_lightning.errors import SceneLightningError
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.reports import plots
from scene_lightning.reports.metrics_file import as_history, write_metrics
from scene_lightning.reports.run_folder import CURVES, LAST, METRICS

# On a GPU the losses are looked at after so many steps: each look waits for the device.
STEPS_PER_LOOK = 50
# Between two pictures of the curves so much time passes that drawing takes no more than this share of it.
LARGEST_SHARE_OF_DRAWING = 0.02
_USUAL_DRAWING = 0.25  # seconds; so a run of a few seconds draws its curves at its end alone
BAD_BATCH = "non_finite_loss.txt"


class RunRecorder(callbacks.Callback):
    """Writes metrics.csv after each epoch, and curves.png where epochs are not very short, and at the end.

    A checkpoint holds the rows, so that the files of a resumed run say what its weights have been through.

    Args:
        folder: the run's.
        earlier: rows of epochs before a checkpoint that holds none.
    """

    def __init__(self, folder: Path, earlier: list[dict[str, Any]] | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.rows = list(earlier or [])
        self._started = time.perf_counter()
        self._spent = 0.0  # on the epoch that is resumed
        self._drawn_at, self._drawing = self._started, _USUAL_DRAWING  # the last drawing of curves, and what it took

    def state_dict(self) -> dict[str, Any]:
        return {"rows": [dict(row) for row in self.rows], "_spent": time.perf_counter() - self._started}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._write()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        resumed_here = len(self.rows) == epoch and self._spent
        self._started = time.perf_counter() - (self._spent if resumed_here else 0.0)
        self._spent = 0.0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        seconds = round(time.perf_counter() - self._started, 2)
        optimizer = getattr(self.model, "optimizer", None)  # a model of the user's own may have none
        rate = {"learning_rate": float(optimizer.learning_rate)} if optimizer is not None else {}  # of its last step
        self.rows.append({"epoch": epoch + 1, **dict(logs or {}), **rate, "seconds": seconds})
        self._started = time.perf_counter()
        self._write()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._draw()

    def _write(self) -> None:
        if is_main_process() and self.rows:
            write_metrics(self.folder / METRICS, self.rows)
        if time.perf_counter() - self._drawn_at >= self._drawing / LARGEST_SHARE_OF_DRAWING:
            self._draw()

    def _draw(self) -> None:
        if is_main_process() and self.rows:
            started = time.perf_counter()
            plots.plot_curves(as_history(self.rows), self.folder / CURVES)
            self._drawn_at = time.perf_counter()
            self._drawing = self._drawn_at - started


class NonFiniteLossError(SceneLightningError):
    """The loss of a batch is NaN or infinite."""


class StopAtNonFiniteLoss(L.Callback):
    """Ends the training at the first loss that is NaN or infinite, before a checkpoint is made of it.

    Args:
        folder: the run's; the files of the batch are listed there.
        feed: what is trained on.
        paths: the files of its images.
    """

    def __init__(self, folder: Path, feed: ImageFeed, paths: list[str]) -> None:
        self._folder, self._feed, self._paths = folder, feed, paths
        self._losses: list[torch.Tensor] = []
        self._next = 0  # step after the last of these losses

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if not isinstance(loss, torch.Tensor):
            return
        self._losses.append(loss.detach())
        self._next = batch_idx + 1
        if loss.device.type == "cpu" or len(self._losses) == STEPS_PER_LOOK or trainer.is_last_batch:
            self._look(trainer)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        self._look(trainer)  # on a GPU not all losses so far have been looked at

    def _look(self, trainer: L.Trainer) -> None:
        values, self._losses = self._losses, []
        finite = torch.isfinite(torch.stack(values)).tolist() if values else []
        if not all(finite):
            at = finite.index(False)
            self._stop(trainer, self._next - len(values) + at, float(values[at]))

    def _stop(self, trainer: L.Trainer, step: int, loss: float) -> None:
        epoch = trainer.current_epoch
        samples = self._feed.samples_of(epoch, step, trainer.global_rank, trainer.world_size)
        names = [self._paths[index % len(self._paths)] for index in samples]
        listed = self._folder / BAD_BATCH
        with atomic_write(listed) as temporary:
            temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8", errors="surrogateescape")
        kept = self._folder / LAST
        state = f"{kept} holds the last good state" if kept.exists() else "no state was saved before it"
        raise NonFiniteLossError(
            f"the loss is {loss} in epoch {epoch + 1}, step {step + 1}, on {len(names)} images such as {names[0]!r} "
            f"(all of them: {listed}); {state}. Take a smaller learning_rate, or --set training.optimizer_arguments="
            "'{clipnorm: 1.0}'; if it is one image, look at it."
        )
