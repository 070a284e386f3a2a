"""Training events in; nothing out: the hooks that callbacks fill in."""

from __future__ import annotations

from typing import Any

from scene_lightning.errors import InputError


class Callback:
    """The base of every callback. Keras: `keras.callbacks.Callback`.

    Attributes:
        params: {"verbose", "epochs", "steps", "samples", "batch_size"} of the running verb.
        model: the model that is being trained, evaluated or asked.
        validation_data: the arrays that `fit` validates on, [inputs…, targets…, weights], where Keras 2 put them.
    """

    # A built-in callback that looks at batch logs now and then only: running metrics need not be kept up for it.
    _reads_batch_logs_rarely = False

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Any = None
        self.validation_data: Any = None

    def set_params(self, params: Any) -> None:
        """Take the parameters of the verb that starts."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model."""
        self._model = model

    @property
    def model(self) -> Any:
        """The model."""
        return getattr(self, "_model", None)  # a subclass may have forgotten super().__init__()

    state_key = "a Keras callback"  # Lightning's Trainer asks for it before its models take Keras' callbacks over

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Lightning: reached where a Trainer calls the callback itself, whose hooks have other arguments than its own.

        Raises:
            InputError: the module is not a Keras model.
        """
        adopt = getattr(pl_module, "adopt_keras_callbacks", None)
        if adopt is None:
            raise InputError(
                f"{type(self).__name__} is a Keras callback, and {type(pl_module).__name__} no Keras model: use one of "
                "lightning.pytorch.callbacks, or make the module a subclass of keras.Model."
            )
        adopt()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Lightning: told of the error that `setup` raises."""

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Old name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Old name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Before an epoch of `fit`; `epoch` counts from 0, `logs` is empty."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """After an epoch of `fit` and its validation; `logs` holds both (`val_…`) and is shared by all callbacks."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a training step; `batch` counts from 0 in each epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a training step; `logs` holds the averages of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of `evaluate` or of validation."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of `evaluate` or of validation; `logs` holds the averages so far."""

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of `predict`; `logs` is {"outputs": …}."""

    def on_train_begin(self, logs: Any = None) -> None:
        """When `fit` starts."""

    def on_train_end(self, logs: Any = None) -> None:
        """When `fit` ends; `logs` are those of the last epoch."""

    def on_test_begin(self, logs: Any = None) -> None:
        """When `evaluate` or validation starts."""

    def on_test_end(self, logs: Any = None) -> None:
        """When `evaluate` or validation ends; `logs` without `val_`."""

    def on_predict_begin(self, logs: Any = None) -> None:
        """When `predict` starts."""

    def on_predict_end(self, logs: Any = None) -> None:
        """When `predict` ends."""


def overrides(callback: Any, *hooks: str) -> bool:
    """Whether `callback` has its own version of one of `hooks`, in its class or (LambdaCallback) on itself."""
    for hook in hooks:
        if hook in getattr(callback, "__dict__", {}):
            return True
        if getattr(type(callback), hook, None) not in (None, getattr(Callback, hook)):
            return True
    return False
