"""Says what is wrong with a `fit` that goes on all the same: a loss that is no number, data that have run out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch

from scene_lightning._main_process import is_main_process

# Losses are looked at in hundreds on the CPU. On a GPU a look waits for the device: they stay there until the epoch's
# end, where the logs are read anyway, a tensor for so many of them.
_AT_A_TIME = 100


class NonFiniteLossWarning:
    """Warns, once a `fit`, of the first batch whose loss is NaN or infinite."""

    def __init__(self) -> None:
        self._losses: list[torch.Tensor] = []
        self._stacked: list[torch.Tensor] = []
        self._first: int | None = None
        self._is_quiet = not is_main_process()

    def add(self, outputs: Any, batch: int, epoch: int) -> None:
        """Take in what a training step gave.

        Args:
            outputs: Lightning's of a step.
            batch: counted from 0.
            epoch: counted from 0.
        """
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if self._is_quiet or not isinstance(loss, torch.Tensor):
            return
        self._first = batch if self._first is None else self._first
        self._losses.append(loss.detach())
        if len(self._losses) == _AT_A_TIME:
            self._stacked.append(torch.stack(self._losses))
            self._losses = []
            if loss.device.type == "cpu":
                self.look(epoch)

    def look(self, epoch: int, logged: Any = 0.0) -> None:
        """Warn if one of the losses so far is no number.

        Args:
            epoch: counted from 0.
            logged: the loss of the epoch, for steps that give none.
        """
        stacked = self._stacked + ([torch.stack(self._losses)] if self._losses else [])
        first, self._first, self._losses, self._stacked = self._first or 0, None, [], []
        if self._is_quiet:
            return
        values = torch.cat(stacked).tolist() if stacked else []
        at = next((place for place, value in enumerate(values) if not math.isfinite(value)), None)
        if at is not None:
            self._warn(values[at], f"epoch {epoch + 1}, batch {first + at + 1}")
        elif isinstance(logged, float) and not math.isfinite(logged):
            self._warn(logged, f"epoch {epoch + 1}")

    def _warn(self, loss: float, place: str) -> None:
        self._is_quiet = True
        warnings.warn(
            f"The loss is {loss} in {place}; the training goes on, as in Keras. Take a smaller learning rate or "
            "clipnorm=1.0, unless the data hold such values. With callbacks.TerminateOnNaN() a training ends there.",
            stacklevel=2,
        )


def warn_of_exhausted(what: str) -> None:
    """Keras' warning, for an epoch or a validation in which not one batch came.

    Args:
        what: what does not happen for lack of data.
    """
    warnings.warn(
        f"Your input ran out of data; interrupting {what}. Make sure that your dataset or generator can generate at "
        "least `steps_per_epoch * epochs` batches. You may need to use the `.repeat()` function when building your "
        "dataset.",
        stacklevel=2,
    )
