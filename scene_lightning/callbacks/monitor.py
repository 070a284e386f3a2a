"""The base class of callbacks that watch a value, and how they know which way is better."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np

from scene_lightning.callbacks.base import Callback
from scene_lightning.callbacks.logs import alias_of, key_in
from scene_lightning.errors import InputError

# For metrics that do not say themselves which way is better.
_UP = re.compile(
    r"(^|_)(acc|accuracy|auc|precision|recall|specificity|sensitivity|iou|score|similarity|proximity|r2|f\d|f\d_score"
    r"|fbeta|dice|kappa|mcc)(_at_\w+)?(_\d+)?$",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"(^|_)(loss|error|err|mse|rmse|mae|mape|msle|crossentropy|cross_entropy|hinge|divergence|poisson|logcosh|log_cosh"
    r"|log_loss)(_\d+)?$",
    re.IGNORECASE,
)


def direction_of(model: Any, monitor: str) -> str | None:
    """Say which way a log improves: "min", "max", or None when nobody knows.

    The loss goes down; a metric says itself (Keras' `_direction`, torchmetrics' `higher_is_better`); else its name.

    Args:
        model: the model, whose metrics are asked.
        monitor: name of the log, with `val_` or without.
    """
    name = monitor.removeprefix("val_")
    if name == "loss":
        return "min"
    for metric in getattr(model, "metrics", None) or []:
        if getattr(metric, "name", None) in (name, alias_of(name)):
            direction = getattr(metric, "_direction", None)
            if direction in ("up", "down"):
                return "max" if direction == "up" else "min"
            higher = getattr(metric, "higher_is_better", None)
            if higher is not None:
                return "max" if higher else "min"
    if _DOWN.search(name):
        return "min"
    return "max" if _UP.search(name) else None


class MonitorCallback(Callback):
    """A callback that watches one value. Keras: `MonitorCallback`.

    Args:
        monitor: a log name; `val_acc` finds `val_accuracy` and the other way round.
        mode: "min", "max" or "auto" (by the metric, or by the name).
        baseline: the first value to beat.
        min_delta: the least change that counts as an improvement.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: float | None = None, min_delta: float = 0
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.", stacklevel=3)
            mode = "auto"
        if isinstance(monitor, list | tuple) and len(monitor) == 1:  # monitor=['acc'], as some programs write it
            monitor = monitor[0]
        if not isinstance(monitor, str):
            raise InputError(f"{type(self).__name__} expected one log name as `monitor`; received {monitor!r}.")
        self.monitor: str = monitor
        self.mode = mode
        self.best: float | None = baseline
        self.min_delta = abs(min_delta)
        self._sign = 0  # +1: up is better, −1: down is better, 0: not yet known

    def _attributes(self, *names: str) -> dict[str, Any]:
        """These attributes and the best value, for `state_dict`."""
        best = None if self.best is None else float(self.best)
        return {"best": best, **{name: getattr(self, name) for name in names}}

    @property
    def monitor_op(self) -> Any:
        """The comparison, as old programs ask for it: `new > best` or `new < best`; None while unknown."""
        return {0: None, 1: float.__gt__, -1: float.__lt__}[self._sign]

    def _set_monitor_op(self) -> None:
        """Settle which way is better, once the model has its metrics.

        Raises:
            InputError: mode "auto", and nothing tells the direction.
        """
        direction = self.mode if self.mode != "auto" else direction_of(self.model, self.monitor)
        if direction is None:
            raise InputError(
                f"{type(self).__name__} callback received monitor={self.monitor}, but Keras isn't able to "
                "automatically determine whether that metric should be maximized or minimized. "
                "Pass `mode='max'` in order to monitor based on the highest metric value, or pass "
                "`mode='min'` in order to use the lowest value."
            )
        self._sign = 1 if direction == "max" else -1

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        """Strictly better by more than `min_delta`; NaN never is, anything is better than nothing.

        In float32, as Keras compares: 0.6 + 0.3 is not below 0.9.
        """
        if reference is None:
            return True
        if self._sign > 0:
            return bool(np.float32(value - self.min_delta) > np.float32(reference))
        return bool(np.float32(value + self.min_delta) < np.float32(reference))

    def _monitored(self, logs: Any) -> Any:
        """The value of the monitored log, or None."""
        key = key_in(logs or {}, self.monitor)
        return None if key is None else logs[key]
