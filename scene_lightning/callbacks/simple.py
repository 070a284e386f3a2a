"""Small callbacks: stop on NaN, call a function, swap in averaged weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from scene_lightning._registry import did_you_mean
from scene_lightning.callbacks.base import Callback
from scene_lightning.callbacks.messages import print_message
from scene_lightning.errors import InputError


class TerminateOnNaN(Callback):
    """Stop when the loss is NaN or infinite. Keras: `keras.callbacks.TerminateOnNaN`.

    Args:
        raise_error: raise RuntimeError at once, instead of ending the training in good order.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. Terminating training immediately."
            )
        print_message(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True


class LambdaCallback(Callback):
    """Call functions on events. Keras: `keras.callbacks.LambdaCallback`.

    Args:
        on_epoch_begin, on_epoch_end: called with (epoch, logs).
        on_train_begin, on_train_end: called with (logs).
        on_train_batch_begin, on_train_batch_end: called with (batch, logs).
        **kwargs: further hooks by name, and attributes.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name in kwargs:
            near = did_you_mean(name, (hook for hook in dir(Callback) if hook.startswith("on_")))
            if near and not hasattr(self, name):
                warnings.warn(f"LambdaCallback calls no function at {name!r}.{near}", stacklevel=2)
        self.__dict__.update({name: hook for name, hook in hooks.items() if hook is not None})


class SwapEMAWeights(Callback):
    """Evaluate with the optimizer's averaged weights. Keras: `keras.callbacks.SwapEMAWeights`.

    Args:
        swap_on_epoch: keep them in the model from the end of an epoch to the start of the next, so that files written
            there hold them.

    Raises:
        InputError: the optimizer was not made with `use_ema=True`.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._ema_weights_in_model = False

    def _pairs(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            raise InputError(
                "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. Received: use_ema=False"
            )
        return [(weight, slots["average"]) for weight, slots in optimizer.state.items() if "average" in slots]

    def _swap_to(self, averaged: bool) -> None:
        if self._ema_weights_in_model == averaged:
            return
        with torch.no_grad():
            for weight, average in self._pairs():
                kept = weight.detach().clone()
                weight.copy_(average)
                average.copy_(kept)
        self._ema_weights_in_model = averaged

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the block the averaged weights are in the model."""
        before = self._ema_weights_in_model
        self._swap_to(True)
        try:
            yield
        finally:
            self._swap_to(before)

    def state_dict(self) -> dict[str, Any]:
        return {"_ema_weights_in_model": self._ema_weights_in_model}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        if not self.swap_on_epoch:
            self._swap_to(False)  # a checkpoint of the averaged weights: training goes on with its own

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._swap_to(False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self.swap_on_epoch or self._ema_weights_in_model:
            return
        self._swap_to(True)
        if self.params is not None and epoch == self.params["epochs"] - 1:
            # When fit ends the averages are written into the model: they must be there then, not here.
            with torch.no_grad():
                for weight, average in self._pairs():
                    average.copy_(weight)

    def on_test_begin(self, logs: Any = None) -> None:
        self._swap_to(True)

    def on_test_end(self, logs: Any = None) -> None:
        self._swap_to(False)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._swap_to(True)

    def on_predict_end(self, logs: Any = None) -> None:
        self._swap_to(False)


class BaseLogger(Callback):
    """Do nothing: the logs hold averages already, which Keras 2's `BaseLogger` computed.

    Args:
        stateful_metrics: kept, without effect.
    """

    def __init__(self, stateful_metrics: Any = None) -> None:
        super().__init__()
        self.stateful_metrics = set(stateful_metrics or ())
