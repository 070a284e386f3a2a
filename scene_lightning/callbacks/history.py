"""Keeps the logs of all epochs: what `fit` returns."""

from __future__ import annotations

from typing import Any

from scene_lightning.callbacks.base import Callback
from scene_lightning.callbacks.logs import AliasDict, alias_of


class HistoryDict(AliasDict[list[float]]):
    """The values of each log, one an epoch, by Keras 3's names; old spellings (`acc`, `val_acc`, `lr`) are read too."""

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self, key) or (isinstance(key, str) and dict.__contains__(self, alias_of(key)))


class History(Callback):
    """What `fit` returns. Keras: `keras.callbacks.History`.

    Attributes:
        history: log name → list of floats, one an epoch.
        epoch: the indices of the epochs that were run, from 0.
        params: the parameters of the fit.
        model: the model.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history = HistoryDict()
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self
