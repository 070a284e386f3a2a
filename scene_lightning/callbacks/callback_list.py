"""Calls the hooks of every callback, in Keras' order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from scene_lightning.callbacks.base import Callback, overrides
from scene_lightning.callbacks.history import History
from scene_lightning.callbacks.logs import LazyLogs, pythonify
from scene_lightning.callbacks.progress import ProgbarLogger
from scene_lightning.errors import InputError

Logs = Mapping[str, Any] | None


def _flatten(callbacks: Any) -> list[Any]:
    """None, one callback, or nested lists of them → a flat list.

    Raises:
        InputError: a class instead of an instance, or something that has no `on_epoch_end` at all.
    """
    if callbacks is None:
        return []
    if isinstance(callbacks, Mapping):
        callbacks = callbacks.values()
    if isinstance(callbacks, Iterable) and not isinstance(callbacks, str):
        return [callback for item in callbacks for callback in _flatten(item)]
    if isinstance(callbacks, type):
        raise InputError(
            f"A callback must be an object; received the class {callbacks.__name__}. "
            f"Write callbacks=[{callbacks.__name__}(...)]."
        )
    if not hasattr(callbacks, "on_epoch_end") or not hasattr(callbacks, "set_model"):
        raise InputError(
            f"A callback must be a keras.callbacks.Callback; received {callbacks!r} ({type(callbacks).__name__})."
        )
    return [callbacks]


@contextmanager
def _free_to_compute() -> Iterator[None]:
    """Callbacks of an evaluation or a prediction may train or take gradients too: torch's modes end before them."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


class CallbackList(Callback):
    """Many callbacks behind the face of one. Keras: `keras.callbacks.CallbackList`.

    Args:
        callbacks: callbacks, nested as one likes.
        add_history: add a History when there is none; it comes after the caller's callbacks.
        add_progbar: add a ProgbarLogger when there is none; it comes last.
        model: the model to hand to each.
        **params: the parameters to hand to each.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks: list[Any] = _flatten(callbacks)
        self._history = next((c for c in reversed(self.callbacks) if isinstance(c, History)), None)
        self._progbar = next((c for c in reversed(self.callbacks) if isinstance(c, ProgbarLogger)), None)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        if self._progbar is None and add_progbar:
            self._progbar = ProgbarLogger()
            self.callbacks.append(self._progbar)
        self._batch_callbacks: dict[str, list[Any]] = {}
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    @property
    def history(self) -> Any:
        """The History among the callbacks, or None."""
        return self._history

    def append(self, callback: Any) -> None:
        """Add one callback at the end.

        Args:
            callback: the callback.
        """
        self.callbacks.append(callback)
        self._batch_callbacks = {}

    def __iter__(self) -> Any:
        return iter(self.callbacks)

    def set_params(self, params: Any) -> None:
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    # -- events ----------------------------------------------------------------------------------------------------

    def _listeners(self, hook: str) -> list[Any]:
        wanting = self._batch_callbacks.get(hook)
        if wanting is None:
            hooks = (hook, hook.replace("train_batch", "batch"))  # the base's new hook calls the old one
            wanting = [callback for callback in self.callbacks if overrides(callback, *hooks)]
            self._batch_callbacks[hook] = wanting
        return wanting

    def _on_batch(self, hook: str, batch: int, logs: Logs) -> None:
        listeners = self._listeners(hook)
        if listeners:
            seen = logs if isinstance(logs, LazyLogs) else pythonify(logs)
            with _free_to_compute():
                for callback in listeners:
                    getattr(callback, hook)(batch, logs=seen)

    def _on_event(self, hook: str, *position: int, logs: Logs) -> None:
        shared = pythonify(logs)
        with _free_to_compute():
            for callback in self.callbacks:
                getattr(callback, hook)(*position, shared)

    def on_train_begin(self, logs: Logs = None) -> None:
        self._batch_callbacks = {}
        self._on_event("on_train_begin", logs=logs)


def _forwarding(hook: str) -> Callable[..., None]:
    """The method of `CallbackList` that calls a hook of each callback, with the parameters that `Callback` gives it."""

    def on_batch(self: CallbackList, batch: int, logs: Logs = None) -> None:
        self._on_batch(hook, batch, logs)

    def on_epoch(self: CallbackList, epoch: int, logs: Logs = None) -> None:
        self._on_event(hook, epoch, logs=logs)

    def on_event(self: CallbackList, logs: Logs = None) -> None:
        self._on_event(hook, logs=logs)

    return on_batch if "batch" in hook else on_epoch if "epoch" in hook else on_event


for _hook in vars(Callback):  # type checkers see the methods of the base
    if _hook.endswith(("_begin", "_end")) and _hook not in vars(CallbackList):
        setattr(CallbackList, _hook, _forwarding(_hook))
