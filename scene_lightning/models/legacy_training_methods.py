"""Keras 1's and 2's methods for training from generators and predicting classes: `fit_generator` and its kin."""

from __future__ import annotations

from typing import Any

from scene_lightning.errors import UnknownArgumentError
from scene_lightning.feeds.as_feed import as_feed
from scene_lightning.feeds.base import Feed
from scene_lightning.models.fit_evaluate_predict import TrainingMixin
from scene_lightning.models.legacy_arguments import deprecated, ignore_show_accuracy, translated

_LOADING = {"max_q_size": "max_queue_size", "nb_worker": "workers", "pickle_safe": "use_multiprocessing"}
# Arguments after the first ones, in Keras 2's order.
_FURTHER_OF_FIT = (
    "verbose", "callbacks", "validation_data", "validation_steps", "validation_freq", "class_weight", "max_queue_size",
    "workers", "use_multiprocessing", "shuffle", "initial_epoch",
)  # fmt: skip
_FURTHER_OF_EVALUATE = ("callbacks", "max_queue_size", "workers", "use_multiprocessing", "verbose")


class LegacyTrainingMixin(TrainingMixin):
    """`fit_generator` and its kin, for programs that were written for them."""

    def fit_generator(
        self, generator: Any, steps_per_epoch: Any = None, epochs: int = 1, *args: Any, **kwargs: Any
    ) -> Any:
        """Keras 2's name of `fit` on a generator; data that end early are read again, as it did.

        Args:
            generator: gives batches of (inputs, targets), without end.
            steps_per_epoch: batches an epoch.
            epochs: passes of so many batches.
            *args: verbose, callbacks, validation_data, …, in Keras 2's order.
            **kwargs: the same by name, and Keras 1's names of them.
        """
        deprecated("fit_generator", "fit")
        kwargs = _of_keras_2({**kwargs, **_named(args, _FURTHER_OF_FIT)})
        steps = translated(
            kwargs, "samples_per_epoch", "steps_per_epoch", steps_per_epoch, per=_batch_size_of(generator)
        )
        epochs = translated(kwargs, "nb_epoch", "epochs", epochs)
        validation, validation_steps = kwargs.get("validation_data"), kwargs.get("validation_steps")
        validation_steps = translated(
            kwargs, "nb_val_samples", "validation_steps", validation_steps, per=_batch_size_of(validation)
        )
        # Keras 2 asked for it only beside a generator.
        kwargs["validation_steps"] = None if isinstance(validation, tuple | list) else validation_steps
        return self.fit(generator, steps_per_epoch=steps, epochs=epochs, loop_data=True, **kwargs)

    def evaluate_generator(self, generator: Any, steps: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras 2's name of `evaluate` on a generator.

        Args:
            generator: gives batches of (inputs, targets).
            steps: batches to take.
            *args: callbacks, max_queue_size, …, in Keras 2's order.
            **kwargs: the same by name, and Keras 1's names of them.
        """
        deprecated("evaluate_generator", "evaluate")
        feed, kwargs = _looped(generator, steps, args, kwargs)
        return self.evaluate(feed, **kwargs)

    def predict_generator(self, generator: Any, steps: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras 2's name of `predict` on a generator.

        Args:
            generator: gives batches of inputs.
            steps: batches to take.
            *args: callbacks, max_queue_size, …, in Keras 2's order.
            **kwargs: the same by name, and Keras 1's names of them.
        """
        deprecated("predict_generator", "predict")
        feed, kwargs = _looped(generator, steps, args, kwargs)
        return self.predict(feed, **kwargs)

    def predict_classes(self, x: Any, batch_size: int = 32, verbose: Any = 0) -> Any:
        """Predict class numbers, as Keras 2 did.

        Args:
            x: inputs, as for `predict`.
            batch_size: samples a batch.
            verbose: as for `predict`.

        Returns:
            The likeliest class of each sample, `(samples,)`; for one sigmoid output 0 or 1, `(samples, 1)`.
        """
        deprecated("predict_classes", "np.argmax(model.predict(x), axis=-1)")
        probabilities = self.predict(x, batch_size=batch_size, verbose=verbose)
        return (probabilities > 0.5).astype("int32") if probabilities.shape[-1] == 1 else probabilities.argmax(-1)

    def predict_proba(self, x: Any, batch_size: int = 32, verbose: Any = 0) -> Any:
        """Keras 2's other name of `predict`.

        Args:
            x: inputs, as for `predict`.
            batch_size: samples a batch.
            verbose: as for `predict`.
        """
        deprecated("predict_proba", "predict")
        return self.predict(x, batch_size=batch_size, verbose=verbose)

    def _make_predict_function(self) -> None:
        """Keras 2's way of building the graph before other threads use it: there is none to build."""

    _make_test_function = _make_train_function = _make_predict_function

    def make_predict_function(self, force: bool = False) -> Any:
        """The function that predicts one batch. Keras 2.3 built its graph here.

        Args:
            force: without effect: there is no graph to build.
        """
        return self.predict_on_batch


def _looped(generator: Any, steps: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Feed, dict[str, Any]]:
    """What `evaluate_generator` and `predict_generator` were given, as a feed and today's keywords."""
    kwargs = _of_keras_2({"verbose": 0, **kwargs, **_named(args, _FURTHER_OF_EVALUATE)})
    steps = translated(kwargs, "val_samples", "steps", steps, per=_batch_size_of(generator))
    return as_feed(generator, shuffle=False, training=False, steps=steps, loop=True), kwargs


def _batch_size_of(source: Any) -> int | None:
    return getattr(source, "batch_size", None)


def _named(args: tuple[Any, ...], names: tuple[str, ...]) -> dict[str, Any]:
    if len(args) > len(names):
        raise UnknownArgumentError(f"Too many arguments without a name: the last that is known is {names[-1]!r}.")
    return dict(zip(names, args, strict=False))


def _of_keras_2(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keras 1's names for how batches are loaded, in Keras 2's."""
    ignore_show_accuracy(kwargs.pop("show_accuracy", None))
    return {_LOADING.get(name, name): value for name, value in kwargs.items()}
