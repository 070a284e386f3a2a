"""Keras' steps of a model, `train_step` and `test_step`, and the parts of them that a user's model may override.

Keras lets a model replace the step (`train_step(data)`, `test_step(data)`) or a part of it (`compute_loss`,
`compute_metrics`, `metrics`). A model that replaces `train_step` computes its gradients and moves its weights by
itself: Lightning then runs in manual optimisation. Source: https://keras.io/guides/custom_train_step_in_torch
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch

from scene_lightning import fast
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.feeds.tensors import unpack_batch
from scene_lightning.layers.base.tracking import clear_added_losses
from scene_lightning.metrics import Metric, MetricContainer
from scene_lightning.metrics.variable import plain
from scene_lightning.training.metric_states import MetricStates
from scene_lightning.training.objective import Objective
from scene_lightning.tree import flatten


class CompileMetrics:
    """The metrics that `compile` was given, as the one object that Keras 3 shows in `model.metrics`.

    Args:
        container: the metrics of training.
    """

    name = "compile_metrics"

    def __init__(self, container: MetricContainer) -> None:
        self._container = container

    @property
    def metrics(self) -> list[Any]:
        """The metric objects; none before the first batch, whose shapes choose them."""
        return list(self._container.metrics)

    @property
    def variables(self) -> list[Any]:
        """The running values of all of them."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in one batch."""
        self._container.update(y_true, y_pred, sample_weight)

    def result(self) -> dict[str, torch.Tensor]:
        """The metrics' values by name, without the loss."""
        return self._container.metric_results()

    def reset_state(self) -> None:
        """Forget all batches."""
        for metric in self.metrics:
            metric.reset_state()

    reset_states = reset_state  # Keras 2


class KerasSteps(L.LightningModule):
    """The steps of a `TrainableModule` as Keras names them, and what they report."""

    compiled: bool
    optimizer: Any
    _objective: Objective  # None before `compile`
    _train_metrics: MetricContainer
    _val_metrics: MetricContainer
    _evaluating = False
    _alone = False  # in a run inside a run: the other processes may not be there to sum metrics over
    on_validation_outputs: Callable[[Any, Any, Any], None] | None
    _step_logs: dict[str, Any] | None = None
    _images_seen: str | None
    _epoch_logs: dict[str, Any] | None = None
    _epoch_states: MetricStates | None = None

    @property
    def metrics(self) -> list[Any]:
        """Keras' list: the loss's, what was compiled as one object, then those that the model or its layers keep."""
        compiled: list[Any] = []
        if self.compiled:
            compiled = [self._container.loss, CompileMetrics(self._container), *self._container.output_losses.values()]
        return [*compiled, *attached_metrics(self)]

    # -- what a user's class may override --------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, Any]:
        """One batch of training: forward, gradients, optimizer, metrics. Keras: `Model.train_step`.

        Args:
            data: x, (x, y) or (x, y, sample_weight).

        Returns:
            Name → value, as `fit` reports them.
        """
        loss = self._step(data, self._train_metrics, training=True)
        if loss.requires_grad:
            weights = self.trainable_weights
            self.optimizer.apply(torch.autograd.grad(loss, weights, allow_unused=True), weights)
        if self._step_logs is not None and self.overrides("compute_metrics"):
            return self._step_logs
        return self.get_metrics_result()

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> torch.Tensor:
        """The loss of one batch: what was compiled, plus penalties of layers. Keras: `Model.compute_loss`.

        A subclass overrides it to train on a loss of its own.

        Args:
            x: the batch's inputs.
            y: its targets.
            y_pred: the model's outputs for `x`.
            sample_weight: one weight a sample, or None.
            training: whether it is a step of training.

        Returns:
            A scalar tensor.
        """
        penalties = self.losses
        if penalties and self._objective.wants_nothing:  # `add_loss` alone, as in an autoencoder of one's own
            return sum(penalties[1:], penalties[0])
        return sum(penalties, self._objective(y, y_pred, sample_weight))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Take one batch into the metrics, and give their results so far. Keras: `Model.compute_metrics`.

        A subclass overrides it to report metrics of its own.

        Args:
            x: the batch's inputs.
            y: its targets.
            y_pred: the model's outputs for `x`.
            sample_weight: one weight a sample, or None.

        Returns:
            Name → value.
        """
        self._container.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """The value of each of `metrics`, by name. Keras: `Model.get_metrics_result`."""
        return _flat_logs({metric.name: metric.result() for metric in self.metrics})

    @property
    def compiled_metrics(self) -> CompileMetrics:
        """Keras 2: the compiled metrics, for `update_state(y, y_pred)` in a step of one's own."""
        return CompileMetrics(self._container)

    def compiled_loss(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None
    ) -> torch.Tensor:
        """The compiled loss of one batch plus penalties, taken into the running "loss". Keras 2: `Model.compiled_loss`.

        Args:
            y_true: the batch's targets.
            y_pred: the model's outputs.
            sample_weight: one weight a sample, or None.
            regularization_losses: penalties that are added, such as `self.losses`.

        Returns:
            A scalar tensor.
        """
        value = sum(flatten(regularization_losses or []), self._objective(y_true, y_pred, sample_weight))
        self._container.update_loss(value.detach(), len(flatten(y_pred)[0]))
        return value

    @property
    def _container(self) -> MetricContainer:
        return self._val_metrics if self._evaluating else self._train_metrics

    def _metric_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order."""
        if self.compiled and not self.overrides("metrics"):
            return [*self._container.names, *(metric.name for metric in attached_metrics(self))]
        compiled = self._container.names[1:] if self.compiled else []
        names = ([m.name] if not isinstance(m, CompileMetrics) else compiled for m in self.metrics)
        return [name for group in names for name in group]

    @property
    def steps_without_call(self) -> bool:
        """Whether the steps are the user's own and use models inside, so that this one has no `call`."""
        return False

    @property
    def losses(self) -> list[torch.Tensor]:
        """Penalties; a `Layer` overrides this."""
        return []

    @property
    def trainable_weights(self) -> list[torch.Tensor]:
        """What `train_step` moves; a `Layer` overrides this."""
        return [weight for weight in self.parameters() if weight.requires_grad]

    # -- how Lightning's hooks use them ----------------------------------------------------------------------------

    def overrides(self, name: str) -> bool:
        """Whether the user's class has its own step, or part of a step, as Keras knows it.

        A step that takes `batch_idx` is Lightning's, and stays so.

        Args:
            name: of the method or property.
        """
        own = getattr(type(self), name)
        if own is getattr(_base_of(type(self)), name):
            return False
        return not (name.endswith("_step") and takes_batch_index(own))

    @contextmanager
    def _evaluation(self) -> Iterator[None]:
        """Within the block `metrics` and the compiled losses are those of the evaluation."""
        before, self._evaluating = self._evaluating, True
        try:
            yield
        finally:
            self._evaluating = before

    def lacks_targets(self, training: bool) -> bool:
        """Whether a batch without targets is one of an evaluation that Keras 2 answers with 0, with a warning.

        Args:
            training: whether it is a batch of training.

        Raises:
            InputError: it is one of training, which needs targets.
        """
        if self.overrides("compute_loss") or self._objective.wants_nothing:
            return False
        if training:
            raise InputError(
                "The data have no targets to train on: x came without y. Pass y, or data that give (inputs, targets) "
                "batches: class_mode='categorical', not None; label_mode='categorical', not None."
            )
        warnings.warn(
            "The data have no targets, so there is nothing to evaluate: loss and metrics are 0, as in Keras 2. Pass y, "
            "or data that give (inputs, targets) batches (class_mode, label_mode).",
            stacklevel=2,
        )
        return True

    def _step(self, batch: Any, container: Any, training: bool) -> torch.Tensor:
        x, y, sample_weight = unpack_batch(batch)
        if training:
            self._images_seen = None  # a run that knows says so when it saves
        clear_added_losses(self)
        y_pred = fast.call(self, x, training)
        if not training and self.on_validation_outputs is not None:
            self.on_validation_outputs(x, y, y_pred)
        if y is None and self.lacks_targets(training):
            penalties = sum(self.losses, flatten(y_pred)[0].new_zeros(()))
            container.update_without_targets(y_pred, penalties.detach(), flatten(x)[0].shape[0])
            return penalties
        loss = self._compute_loss(x, y, y_pred, sample_weight, training)
        logged: Any = _mean(loss.detach())
        if self._objective.parts:
            parts = {f"{name}_loss": _mean(value.detach()) for name, value in self._objective.parts.items()}
            logged = {"loss": logged, **parts}
        if self.overrides("compute_metrics"):
            container.update_loss(logged, flatten(x)[0].shape[0])
            self._step_logs = _flat_logs(self.compute_metrics(x, y, y_pred, sample_weight))
        else:
            container.update(y, y_pred, sample_weight, logged, flatten(x)[0].shape[0])
        return loss.sum() if loss.ndim else loss  # reduction="none": Keras trains on the samples' sum, logs the mean

    def _own_train_step(self, batch: Any) -> None:
        """The user's `train_step` on a batch; its logs are kept."""
        trainer = getattr(self, "_trainer", None)
        if trainer is not None and trainer.world_size > 1:
            raise UnsupportedError(
                f"{type(self).__name__}.train_step moves the weights by itself, so it trains on one device: pass "
                "devices=1, or override training_step(self, batch, batch_idx), which returns the loss."
            )
        self._images_seen = None  # as in a step of ours: train_on_batch has no run that begins
        clear_added_losses(self)
        with torch.enable_grad():
            self._step_logs = _flat_logs(self.train_step(without_nones(batch)))

    def _own_test_step(self, batch: Any) -> None:
        clear_added_losses(self)
        self._step_logs = _flat_logs(self.test_step(without_nones(batch)))

    def _compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> torch.Tensor:
        """`compute_loss`, also of a user who wrote it before Keras 3.3 gave it `training`."""
        ours = getattr(self.compute_loss, "__func__", None) is KerasSteps.compute_loss
        keywords = {"training": training} if ours or takes(self.compute_loss, "training") else {}
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **keywords)

    def _reset_for_epoch(self) -> None:
        """Keras' `reset_metrics` at the start of an epoch or an evaluation; the user's own metrics too."""
        self._step_logs = None
        if not self._evaluating:
            self._epoch_logs = self._epoch_states = None
        if self.compiled:
            self._container.reset()
        for metric in self.metrics:
            metric.reset_state()

    def _logs(self, sync: bool = True) -> dict[str, Any]:
        """The logs so far: those of the metrics, unless the user's step reports something else.

        `sync=False` leaves out the other processes: for the logs of a batch.
        """
        if self._step_logs is None and not (self.overrides("metrics") or attached_metrics(self)):
            return self._container.result(sync=sync and not self._alone)
        results = _flat_logs(self.get_metrics_result())
        if self._step_logs is None or set(results) == set(self._step_logs):
            return results
        return self._step_logs


def _flat_logs(logs: Any) -> dict[str, Any]:
    """A step's logs → name and value, those within dicts (of several metrics in one) on the same level.

    Args:
        logs: a dict, perhaps of dicts, or a number, which is the loss.
    """
    if not isinstance(logs, Mapping):
        raise InputError(f"train_step and test_step return a dict of names and values; received {type(logs).__name__}.")
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        if isinstance(value, Mapping):
            flat.update(_flat_logs(value))
        else:
            value = plain(value)
            flat[name] = value.detach() if isinstance(value, torch.Tensor) else torch.as_tensor(value)
    return flat


def without_nones(batch: Any) -> Any:
    """A batch as Keras and Lightning hand it to a step: without targets and weights that there are none of.

    Args:
        batch: (x, y, sample_weight), where the last ones may be None.
    """
    if not isinstance(batch, list | tuple):
        return batch
    parts = list(batch)
    while len(parts) > 1 and parts[-1] is None:
        parts.pop()
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], list | tuple) else tuple(parts)


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of a name, or takes any keyword.

    Args:
        function: a function or method.
        name: of the parameter.
    """
    parameters = inspect.signature(function).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def takes_batch_index(step: Callable[..., Any]) -> bool:
    """Whether a step is Lightning's, (self, batch, batch_idx), rather than Keras', (self, data).

    Args:
        step: a method of a user's model.
    """
    parameters = inspect.signature(step).parameters
    positional = [p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return "batch_idx" in parameters or len(positional) > 2


def _base_of(cls: type) -> type:
    """The class of this package that a user's class comes from."""
    package = __name__.partition(".")[0]
    return next(base for base in cls.__mro__ if base.__module__.partition(".")[0] == package)


def attached_metrics(module: Any, outermost: bool = True) -> list[Any]:
    """Metrics that are attributes of a model or of layers inside it; a model inside keeps its own to itself.

    Args:
        module: a model or layer.
        outermost: whether it is the model that was asked about.
    """
    attached = []
    for child in {id(child): child for child in module._modules.values() if child is not None}.values():
        if isinstance(child, Metric):
            if outermost or not isinstance(module, KerasSteps):
                attached.append(child)
        elif not isinstance(child, MetricContainer):
            attached.extend(attached_metrics(child, outermost=False))
    return attached


def _mean(loss: torch.Tensor) -> torch.Tensor:
    return loss.mean() if loss.ndim else loss
