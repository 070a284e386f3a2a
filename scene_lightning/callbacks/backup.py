"""Goes on after the last finished epoch of a training that was interrupted."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from scene_lightning._atomic_write import atomic_write
from scene_lightning._main_process import is_main_process
from scene_lightning.callbacks.base import Callback
from scene_lightning.callbacks.checkpoint import BatchCounter
from scene_lightning.errors import InputError, SceneLightningError


class BackupAndRestore(Callback):
    """Keep a backup of the training state, and start from it. Keras: `keras.callbacks.BackupAndRestore`.

    Args:
        backup_dir: a folder of its own; removed when training ends.
        save_freq: "epoch", or every so many batches.
        double_checkpoint: keep the backup before the last one too, for when the last cannot be read.
        delete_checkpoint: remove the folder when training ends.
        save_before_preemption: accepted as in Keras, without effect.

    Raises:
        InputError: no folder, or an impossible `save_freq`.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: int | str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        save_before_preemption: bool = False,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise InputError("Empty `backup_dir` argument passed")
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise InputError(
                f"Invalid value for argument `save_freq`. Received: save_freq={save_freq}. "
                "Expected either 'epoch' or an integer value."
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq, self.double_checkpoint, self.delete_checkpoint = save_freq, double_checkpoint, delete_checkpoint
        self._state_path = os.path.join(self.backup_dir, "latest.ckpt")
        self._metadata_path = os.path.join(self.backup_dir, "training_metadata.json")
        self._batches = BatchCounter(int(save_freq)) if save_freq != "epoch" else None
        self._current_epoch = 0

    def on_train_begin(self, logs: Any = None) -> None:
        try:
            self._restore()
        except (OSError, SceneLightningError):
            if not os.path.exists(f"{self._state_path}.bkp"):
                raise
            for path in (self._state_path, self._metadata_path):
                shutil.copyfile(f"{path}.bkp", path)
            self._restore()

    def _restore(self) -> None:
        if not os.path.exists(self._state_path):
            return
        self.model._restore_backup(self._state_path)
        if os.path.exists(self._metadata_path):
            with open(self._metadata_path, encoding="utf-8") as file:
                self.model._initial_epoch = int(json.load(file)["epoch"])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._current_epoch = epoch + 1
        if self._batches is None:
            self._save()
        else:
            self._batches.last_batch = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._batches is not None and self._batches.is_due(batch):
            self._save()

    def _save(self) -> None:
        if not is_main_process():
            return
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint:
            for path in (self._state_path, self._metadata_path):
                if os.path.exists(path):
                    shutil.copyfile(path, f"{path}.bkp")
        self.model._backup(self._state_path)
        batch = self._batches.last_batch if self._batches is not None else None
        with atomic_write(self._metadata_path) as partial:
            partial.write_text(json.dumps({"epoch": self._current_epoch, "batch": batch or 0}), encoding="utf-8")

    def on_train_end(self, logs: Any = None) -> None:
        if self.delete_checkpoint and is_main_process():
            shutil.rmtree(self.backup_dir, ignore_errors=True)
