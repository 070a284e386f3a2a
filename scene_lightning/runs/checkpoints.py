"""Saves the state of a run so that nothing is lost: at each epoch's end, every few minutes, and when a signal asks."""

from __future__ import annotations

import copy
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.utils._pytree import tree_map

from scene_lightning import callbacks
from scene_lightning.errors import SceneLightningError
from scene_lightning.recipes.values import SaveInterval
from scene_lightning.reports.run_folder import BEST, LAST, PREVIOUS
from scene_lightning.saving.checkpoint import write_checkpoint

# After a signal, so long without a batch or a checkpoint means that the run is stuck.
GRACE_SECONDS = 30.0
# Saving by the clock takes no more than this share of the time.
LARGEST_SHARE = 0.01
# In a validation, a process looks so often whether another one has got a signal.
SECONDS_BETWEEN_LOOKS = 0.5
_STOP = "scene_lightning/stop"  # a key of the store that the processes share


class StoppedBySignal(SceneLightningError):
    """A signal has ended the training; what it had learnt is saved.

    Args:
        signal_number: SIGINT or SIGTERM.
        place: where it was, as "epoch 3, after 57 of 268 steps".
    """

    def __init__(self, signal_number: int, place: str) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name} in {place}")
        self.exit_status = 128 + signal_number


class CheckpointFiles(TorchCheckpointIO):
    """Writes checkpoints whole or not at all, and keeps the last.ckpt of before as previous.ckpt."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        target = Path(path)
        if target.name != LAST:
            write_checkpoint(target, checkpoint)
            return
        fresh = target.with_name(f"{LAST}.new")
        try:
            write_checkpoint(fresh, checkpoint)
            if target.exists():
                os.replace(target, target.with_name(PREVIOUS))
            os.replace(fresh, target)
        finally:
            fresh.unlink(missing_ok=True)


class BestCheckpoint(ModelCheckpoint):
    """Keeps the epoch with the best value as best.ckpt.

    Args:
        folder: the run's.
        monitor: the log that says which epoch is best; a loss goes down, all else up.
        swap: when the averaged weights are validated, they are what it keeps.
        seen: which images have trained these weights and chosen this epoch, as a model's file keeps it.
    """

    def __init__(self, folder: Path, monitor: str, swap: callbacks.SwapEMAWeights | None, seen: str | None) -> None:
        super().__init__(
            folder.resolve(), Path(BEST).stem, monitor=monitor, mode="min" if monitor.endswith("loss") else "max",
            save_top_k=1, auto_insert_metric_name=False, enable_version_counter=False, save_on_train_epoch_end=True,
        )  # fmt: skip
        self._swap, self._seen = swap, seen

    def state_dict(self) -> dict[str, Any]:
        """The state without the paths of this machine, since checkpoints go to others."""
        paths = ("dirpath", "best_model_path", "best_k_models", "kth_best_model_path", "last_model_path")
        return {key: value for key, value in super().state_dict().items() if key not in paths}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best epoch so far, where its file is in this run's folder; otherwise with none."""
        best = str(Path(str(self.dirpath)) / BEST)
        if Path(best).is_file() and state_dict.get("best_model_score") is not None:
            score = state_dict["best_model_score"]
            here = {"dirpath": self.dirpath, "best_model_path": best, "best_k_models": {best: score}}
            super().load_state_dict({**state_dict, **here, "kth_best_model_path": best, "last_model_path": ""})

    def _save_checkpoint(self, trainer: L.Trainer, filepath: str) -> None:
        model: Any = trainer.lightning_module
        model._images_seen = self._seen
        if self._swap is None:
            super()._save_checkpoint(trainer, filepath)
            return
        with self._swap.averaged():
            super()._save_checkpoint(trainer, filepath)


class LastCheckpoint(Checkpoint):
    """Keeps the state of the training as last.ckpt, from which it goes on exactly, in mid-epoch too.

    SIGTERM and the first SIGINT (Ctrl-C) end the training after the step in flight and save it; a second one ends it at
    once. In a validation they end it after the batch in flight, with the state before the epoch's last step, which is
    repeated with the validation; of several processes the others hear of it within a second.

    Args:
        folder: the run's.
        interval: how often to save within an epoch; by the clock never more than `LARGEST_SHARE` of the time.
        seen: which images the model has seen, as its file keeps it.
    """

    def __init__(self, folder: Path, interval: SaveInterval, seen: str | None) -> None:
        self._path, self._interval, self._seen = folder.resolve() / LAST, interval, seen
        self._saved_at, self._steps, self._cost = time.monotonic(), 0, 0.0
        self._signals = _Signals()
        self._before_last_step: Any = None
        self._cut_short, self._listened_at = False, 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._signals.listen()  # after Lightning, which lets a run die of SIGTERM without saving
        self._saved_at = time.monotonic()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._signals.forget()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._signals.forget()  # Lightning tears nothing else down then

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._signals.beat()
        self._steps += 1
        if trainer.is_last_batch or trainer.fit_loop._should_accumulate():
            return  # the epoch's end saves; in the middle of an accumulation gradients would be lost
        together = trainer.accumulate_grad_batches
        if batch_idx + 1 == (int(trainer.num_training_batches) - 1) // together * together:
            pl_module._images_seen = self._seen
            state = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)  # by all: each adds its own
            self._before_last_step = _copy(state) if trainer.is_global_zero else {}
        if not _any(trainer, self._signals.number is not None or self._is_due()):
            return
        self._save(trainer)
        self._stop_if_asked(trainer, f"after {batch_idx + 1} of {trainer.num_training_batches} steps")

    def on_validation_batch_end(self, trainer: L.Trainer, *arguments: Any, **keywords: Any) -> None:
        self._signals.beat()
        if trainer.world_size == 1:
            if self._signals.number is not None:
                self._stop_in_validation(trainer)
        elif self._is_asked_anywhere():
            self._cut_short = True
            # Lightning's loop takes it for the end of the data, and all processes meet after it, as they always do
            raise StopIteration

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.world_size > 1 and _any(trainer, self._cut_short):
            self._stop_in_validation(trainer)

    def _is_asked_anywhere(self) -> bool:
        """Whether this process has got a signal, or has heard of another's: from the store that the processes share,
        since those that have fewer batches would not take part in a reduction."""
        store = torch.distributed.distributed_c10d._get_default_store()
        if self._signals.number is not None:
            store.set(_STOP, "")
            return True
        now = time.monotonic()
        if now - self._listened_at < SECONDS_BETWEEN_LOOKS:
            return False
        self._listened_at = now
        return bool(store.check([_STOP]))

    def _stop_in_validation(self, trainer: L.Trainer) -> None:
        if self._before_last_step is not None:  # otherwise the file already holds that state
            trainer.strategy.save_checkpoint(self._before_last_step, self._path)
        self._stop_if_asked(trainer, "in its validation")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._before_last_step = None
        self._save(trainer)
        self._stop_if_asked(trainer, "at its end")

    def _is_due(self) -> bool:
        if self._interval.steps is not None:
            return self._steps >= self._interval.steps
        waited = time.monotonic() - self._saved_at
        return waited >= max(self._interval.seconds or 0.0, self._cost / LARGEST_SHARE)

    def _save(self, trainer: L.Trainer) -> None:
        started = time.monotonic()
        model: Any = trainer.lightning_module
        model._images_seen = self._seen
        trainer.save_checkpoint(self._path)
        self._saved_at, self._steps = time.monotonic(), 0
        self._cost = self._saved_at - started
        self._signals.beat()

    def _stop_if_asked(self, trainer: L.Trainer, place: str) -> None:
        if _any(trainer, self._signals.number is not None):
            number = self._signals.number or signal.SIGTERM  # another process got it
            raise StoppedBySignal(number, f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}, {place}")


def _copy(state: Any) -> Any:
    """A copy of a state, its tensors in the CPU's memory, that further steps do not change."""

    def of_one(value: Any) -> Any:
        return value.to("cpu", copy=True) if isinstance(value, torch.Tensor) else copy.deepcopy(value)

    return tree_map(of_one, state)


def _any(trainer: L.Trainer, wish: bool) -> bool:
    """Whether one of the processes wishes it: all must do the same."""
    return wish if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(wish, all=False)


class _Signals:
    """Notes SIGINT and SIGTERM, for the training to obey when its step has ended.

    Attributes:
        number: the signal that came, or None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}
        self._last_beat, self._longest = time.monotonic(), 0.0

    def listen(self) -> None:
        """Take the signals over; only the main thread can."""
        self.number, self._last_beat = None, time.monotonic()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)

    def forget(self) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def beat(self) -> None:
        """The run lives: a batch or a checkpoint is done."""
        now = time.monotonic()
        self._longest, self._last_beat = max(self._longest, now - self._last_beat), now

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.number is not None:
            self.forget()
            raise KeyboardInterrupt
        self.number = number
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """End a process that is stuck: in a generator, a lock, or a step that another process does not join."""
        while self._before:
            time.sleep(0.2)
            silent = time.monotonic() - self._last_beat
            if silent > max(GRACE_SECONDS, 3 * self._longest) and self._before and self.number is not None:
                frame = sys._current_frames().get(threading.main_thread().ident or 0)
                where = traceback.extract_stack(frame)[-1] if frame else None
                at = f"{where.filename}:{where.lineno}, {where.name}()" if where else "a place unknown"
                name = signal.Signals(self.number).name
                message = f"\nerror: stopped by {name}: no step has ended for {silent:.0f} s; it waited in {at}.\n"
                os.write(2, message.encode(errors="backslashreplace"))
                os._exit(128 + self.number)
