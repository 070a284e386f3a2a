"""The base class of callbacks: the hooks that training, evaluation and prediction call."""

from __future__ import annotations

from typing import Any

from scene_lightning.errors import InputError


class Callback:
    """The base of every callback. Keras: `keras.callbacks.Callback`.

    Attributes:
        params: {"verbose", "epochs", "steps", "samples", "batch_size"} of the running `fit`, `evaluate` or `predict`.
        model: the model that is being trained, evaluated or asked.
        validation_data: the arrays that `fit` validates on, [inputs…, targets…, weights], where Keras 2 put them.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Any = None
        self.validation_data: Any = None

    def set_params(self, params: Any) -> None:
        """Take the parameters of the run that starts.

        Args:
            params: {"verbose", "epochs", "steps", "samples", "batch_size"}.
        """
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model.

        Args:
            model: the model that is being trained, evaluated or asked.
        """
        self._model = model

    @property
    def model(self) -> Any:
        """The model that is being trained, evaluated or asked; None before."""
        return getattr(self, "_model", None)  # a subclass may have forgotten super().__init__()

    @property
    def state_key(self) -> str:
        """A word for this object alone: Lightning's Trainer asks before its models take Keras' callbacks over."""
        return f"{type(self).__name__} {id(self)}"

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Join Keras' callbacks where a Lightning Trainer calls this one itself, whose hooks have other arguments.

        Args:
            trainer: Lightning's Trainer.
            pl_module: its module, which has to be a Keras model.
            stage: "fit", "validate", "test" or "predict".

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
        """Do nothing; Lightning reports the error that `setup` raises here.

        Args:
            trainer: Lightning's Trainer.
            pl_module: its module.
            exception: the error.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback, so that a resumed run goes on as it would have.

        Returns:
            Tensors, numbers, text, and lists and dicts of them; nothing by default.
        """
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` gave; called after `on_train_begin` of the resumed run.

        Args:
            state_dict: what the checkpoint kept.
        """
        vars(self).update(state_dict)

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Run before a training step: the old name of `on_train_batch_begin`.

        Args:
            batch: index of the batch in its epoch, from 0.
            logs: an empty dict.
        """

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Run after a training step: the old name of `on_train_batch_end`.

        Args:
            batch: index of the batch in its epoch, from 0.
            logs: the averages of the epoch so far.
        """

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Run before an epoch of `fit`.

        Args:
            epoch: index of the epoch, from 0.
            logs: an empty dict.
        """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Run after an epoch of `fit` and its validation.

        Args:
            epoch: index of the epoch, from 0.
            logs: values of the training and (`val_…`) of the validation, shared by all callbacks.
        """

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Run before a training step.

        Args:
            batch: index of the batch in its epoch, from 0.
            logs: an empty dict.
        """
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Run after a training step.

        Args:
            batch: index of the batch in its epoch, from 0.
            logs: the averages of the epoch so far.
        """
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Run before a batch of `evaluate` or of validation.

        Args:
            batch: index of the batch, from 0.
            logs: an empty dict.
        """

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Run after a batch of `evaluate` or of validation.

        Args:
            batch: index of the batch, from 0.
            logs: the averages so far.
        """

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Run before a batch of `predict`.

        Args:
            batch: index of the batch, from 0.
            logs: an empty dict.
        """

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Run after a batch of `predict`.

        Args:
            batch: index of the batch, from 0.
            logs: {"outputs": predictions of the batch}.
        """

    def on_train_begin(self, logs: Any = None) -> None:
        """Run when `fit` starts.

        Args:
            logs: an empty dict.
        """

    def on_train_end(self, logs: Any = None) -> None:
        """Run when `fit` ends.

        Args:
            logs: those of the last epoch.
        """

    def on_test_begin(self, logs: Any = None) -> None:
        """Run when `evaluate` or validation starts.

        Args:
            logs: an empty dict.
        """

    def on_test_end(self, logs: Any = None) -> None:
        """Run when `evaluate` or validation ends.

        Args:
            logs: its values, without `val_`.
        """

    def on_predict_begin(self, logs: Any = None) -> None:
        """Run when `predict` starts.

        Args:
            logs: an empty dict.
        """

    def on_predict_end(self, logs: Any = None) -> None:
        """Run when `predict` ends.

        Args:
            logs: an empty dict.
        """


def overrides(callback: Any, *hooks: str) -> bool:
    """Whether a callback has its own version of one of several hooks, in its class or (LambdaCallback) on itself.

    Args:
        callback: any object.
        *hooks: names of methods of `Callback`.
    """
    own, cls = getattr(callback, "__dict__", {}), type(callback)
    return any(hook in own or getattr(cls, hook, None) not in (None, getattr(Callback, hook)) for hook in hooks)
