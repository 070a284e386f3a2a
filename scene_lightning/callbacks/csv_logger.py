"""Writes the logs of each epoch as a row of a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from typing import Any, TextIO

import numpy as np

from scene_lightning._main_process import is_main_process
from scene_lightning.callbacks.base import Callback


class CSVLogger(Callback):
    r"""Write each epoch's logs to a file. Keras: `keras.callbacks.CSVLogger`.

    The columns are `epoch` (from 0) and the logs of the first epoch in alphabetical order; lines end in `\r\n`.

    Args:
        filename: the file.
        separator: between the columns.
        append: go on with a file that exists, instead of writing it anew.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self.writer: Any = None
        self.keys: list[str] | None = None
        self.append_header = True
        self.csv_file: TextIO | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        if not is_main_process():
            return
        if self.append and os.path.exists(self.filename):
            self.append_header = os.path.getsize(self.filename) == 0
        self._close()
        os.makedirs(os.path.dirname(self.filename) or ".", exist_ok=True)
        # Rows are added as they come: a log of a run that is cut short must hold what there was.
        self.csv_file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.csv_file is None:
            return
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]  # validation may come in a later epoch
        if self.writer is None:
            self.writer = csv.DictWriter(self.csv_file, ["epoch", *self.keys], delimiter=self.sep)
            if self.append_header:
                self.writer.writeheader()
        self.writer.writerow({"epoch": epoch, **{key: _cell(logs.get(key, "NA")) for key in self.keys}})
        self.csv_file.flush()

    def on_train_end(self, logs: Any = None) -> None:
        self._close()

    def _close(self) -> None:
        if self.csv_file is not None:
            self.csv_file.close()
        self.csv_file = None
        self.writer = None


def _cell(value: Any) -> Any:
    if (
        isinstance(value, Iterable)
        and not isinstance(value, str)
        and not (isinstance(value, np.ndarray) and not value.ndim)
    ):
        return f'"[{", ".join(map(str, value))}]"'
    return value
