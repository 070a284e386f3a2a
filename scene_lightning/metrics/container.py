"""Holds the metrics that `compile` was given, and the running loss, under the names that logs show.

One container serves one phase (training or evaluation). Names are Keras': a string as it was written, an object's own
name, `_1` for a second of the same name, `weighted_` for one in `weighted_metrics` that `metrics` has too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from scene_lightning.errors import InputError
from scene_lightning.metrics.base import Mean, MeanMetricWrapper, Metric
from scene_lightning.metrics.classification import resolve_accuracy
from scene_lightning.metrics.registry import get
from scene_lightning.metrics.variable import plain


def resolve_metric(identifier: Any, y_true: Tensor, y_pred: Tensor) -> Metric:
    """Turn one entry of `compile(metrics=...)` into a metric for these tensors.

    'accuracy', 'acc', 'crossentropy' and 'ce' look at the shapes. A plain function becomes a mean.

    Args:
        identifier: name, class, object, function or config dict.
        y_true: targets of a batch.
        y_pred: predictions of a batch.

    Returns:
        A `Metric`.

    Raises:
        InputError: None, an unknown name, or a module that is no Keras metric.
    """
    if identifier is None:
        raise InputError("Expected a metric, received None.")
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        return resolve_accuracy(y_true.shape, y_pred.shape, name=identifier)
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        return _crossentropy(y_true, y_pred, identifier)
    metric = get(identifier)
    if isinstance(metric, Metric):
        if isinstance(identifier, str):
            metric.name = identifier
        return metric
    name = identifier if isinstance(identifier, str) else getattr(metric, "__name__", None) or type(metric).__name__
    if not isinstance(metric, nn.Module):  # a plain function, or an object such as a loss
        return MeanMetricWrapper(metric, name=getattr(metric, "name", None) or name)
    raise InputError(
        f"{type(metric).__name__} is not a Keras metric. Give a name, a keras.metrics object or a function "
        "(y_true, y_pred); a torchmetrics metric is used in a LightningModule of your own."
    )


def _crossentropy(y_true: Tensor, y_pred: Tensor, name: str) -> Metric:
    kind = type(resolve_accuracy(y_true.shape, y_pred.shape)).__name__.removesuffix("Accuracy")
    metric = get(f"{kind}Crossentropy")
    metric.name = name
    return metric


class MetricContainer(nn.Module):
    """Resolves, updates and names the metrics of one phase.

    Args:
        metrics: what `compile` got: a list (for several outputs one entry, or list of entries, each) or a dict by
            output name.
        weighted_metrics: the same, fed with sample and class weights.
        output_names: the names of a model's outputs, when it has several.

    Raises:
        InputError: neither a list nor a dict.
    """

    def __init__(
        self, metrics: Any = None, weighted_metrics: Any = None, output_names: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        for argument, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if value is not None and not isinstance(value, list | tuple | Mapping):
                raise InputError(f"`{argument}` is a list, tuple or dict; received {value!r}. Write {argument}=[…].")
        self._wanted = (metrics, weighted_metrics)
        self._output_names = list(output_names) if output_names else None
        self.loss = Mean(name="loss")
        self.metrics = nn.ModuleList()
        self.output_losses = nn.ModuleDict()
        self._slots: list[tuple[str, int, bool]] = []  # (log name, output, weighted) of each of `metrics`
        self.built = False
        self.has_seen_batches = False  # since the last reset
        self._names_without_targets: list[str] = []  # of metrics that are still to be chosen, by targets
        self.when_built: Callable[[], None] | None = None  # called once, after `build`

    # -- building -----------------------------------------------------------------------------------------------------

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Choose the metrics for these tensors (a tensor, or a list or dict of outputs)."""
        true, pred = self._flat(y_true), self._flat(y_pred)
        names = self._names_of(y_pred, len(pred))
        for weighted, wanted in enumerate(self._wanted):
            for output, entries in enumerate(self._by_output(wanted, names)):
                for entry in entries:
                    metric = resolve_metric(entry, true[min(output, len(true) - 1)], pred[output])
                    self.metrics.append(metric.to(pred[output].device))
                    prefix = f"{names[output]}_" if len(pred) > 1 and names[output] else ""
                    self._slots.append((self._free_name(prefix, metric.name, bool(weighted)), output, bool(weighted)))
        self.loss.to(pred[0].device)
        self.built = True
        if self.when_built is not None:
            self.when_built()
            self.when_built = None

    def _free_name(self, prefix: str, name: str, weighted: bool) -> str:
        taken = {slot[0] for slot in self._slots}
        wanted = f"{prefix}{name}"
        if wanted in taken and weighted:
            wanted = f"{prefix}weighted_{name}"
        unique, count = wanted, 0
        while unique in taken:
            count += 1
            unique = f"{wanted}_{count}"
        return unique

    def _names_of(self, y_pred: Any, count: int) -> list[str]:
        if isinstance(y_pred, Mapping):
            return [str(key) for key in y_pred]
        names = self._output_names or []
        return names if len(names) == count else [f"output_{i}" for i in range(count)] if count > 1 else [""]

    def _by_output(self, wanted: Any, names: list[str]) -> list[list[Any]]:
        """One list of entries for each output."""
        if not wanted:
            return [[] for _ in names]
        if isinstance(wanted, Mapping):
            known = set(names) | set(self._output_names or [])
            unknown = [key for key in wanted if key not in known]
            if unknown and len(names) > 1:
                raise InputError(f"Metrics were given for unknown outputs {unknown}; the outputs are {names}.")
            if len(names) == 1:
                return [[entry for value in wanted.values() for entry in _listed(value)]]
            return [_listed(wanted.get(name)) for name in names]
        if len(names) == 1:
            return [[entry for value in wanted for entry in _listed(value)]]
        if len(wanted) != len(names):
            raise InputError(f"This model has {len(names)} outputs {names}: give one list of metrics for each.")
        return [_listed(entry) for entry in wanted]

    @staticmethod
    def _flat(value: Any) -> list[Any]:
        if isinstance(value, Mapping):
            return list(value.values())
        return list(value) if isinstance(value, list | tuple) else [value]

    # -- one batch ----------------------------------------------------------------------------------------------------

    def update(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, loss: Any = None, batch_len: int | None = None
    ) -> None:
        """Take in one batch; the loss counts by the number of samples, also when they are weighted.

        `loss` is the batch's scalar, or a dict {"loss": total, "<output>_loss": …} for several outputs.
        """
        pred = self._flat(y_pred)
        if not self.built:
            self.build(y_true, y_pred)
        self.update_loss(loss, len(pred[0]) if batch_len is None else batch_len)
        if not self.metrics:
            return
        true = self._ordered(y_true, y_pred)
        weights = self._ordered(sample_weight, y_pred) if sample_weight is not None else [None]
        for metric, (_, output, weighted) in zip(self.metrics, self._slots, strict=True):
            weight = weights[min(output, len(weights) - 1)] if weighted else None
            metric.update_state(true[min(output, len(true) - 1)], pred[output], sample_weight=weight)  # type: ignore[operator]

    def update_without_targets(self, y_pred: Any, loss: Tensor, count: int) -> None:
        """Take in a batch of `count` samples that came without targets: the metrics stay at 0, as in Keras 2.

        `loss` is what there is of it, the penalties. The metrics are not chosen yet: that takes targets.
        """
        if not self.built:
            chosen = MetricContainer(*self._wanted, self._output_names)
            chosen.build(y_pred, y_pred)
            self._names_without_targets = chosen.names[1:]
        self.update_loss(loss, count)

    def update_loss(self, loss: Any, count: int) -> None:
        """Take in the loss of a batch of `count` samples: a scalar, or a dict as `update` takes it."""
        self.has_seen_batches = True
        if isinstance(loss, Mapping):
            for name, value in loss.items():
                if name != "loss":
                    self.output_loss(name, value).update_state(value, sample_weight=count)
            loss = loss.get("loss")
        if loss is not None:
            if isinstance(loss, Tensor) and loss.device != self.loss.device:
                self.loss.to(loss.device)
            self.loss.update_state(loss, sample_weight=count)

    def _ordered(self, value: Any, y_pred: Any) -> list[Any]:
        if isinstance(value, Mapping) and isinstance(y_pred, Mapping):
            return [value[key] for key in y_pred]
        if isinstance(value, Mapping) and self._output_names:
            return [value[name] for name in self._output_names]
        return self._flat(value)

    def output_loss(self, name: str, value: Any = None) -> Mean:
        """The running loss of one of several outputs.

        Args:
            name: "<output>_loss".
            value: a loss, which says on which device to count; None for where the whole loss is counted.
        """
        if name not in self.output_losses:
            device = value.device if isinstance(value, Tensor) else self.loss.device
            self.output_losses[name] = Mean(name=name).to(device)
        return self.output_losses[name]  # type: ignore[return-value]

    # -- values -------------------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """Log names in the order of `evaluate`: the loss, then the metrics as they were given."""
        chosen = [slot[0] for slot in self._slots] if self.built else self._names_without_targets
        return ["loss", *self.output_losses, *chosen]

    def result(self, sync: bool = True) -> dict[str, Tensor]:
        """The values so far by name, on the device, in Keras 3's order of logs (alphabetical).

        `sync=False` leaves out the other processes: for the logs of a batch.
        """
        metrics = list(self.metrics) or [Mean() for _ in self._names_without_targets]
        named = zip(self.names, [self.loss, *self.output_losses.values(), *metrics], strict=True)
        values = {name: metric.compute() if sync else metric.local_result() for name, metric in named}  # type: ignore[operator]
        return {name: torch.as_tensor(plain(values[name])) for name in sorted(values)}

    def metric_results(self) -> dict[str, Tensor]:
        """The metrics' values so far by name, without the losses; this process's alone."""
        named = zip(self._slots, self.metrics, strict=True)
        return {slot[0]: torch.as_tensor(plain(metric.local_result())) for slot, metric in named}  # type: ignore[operator]

    def reset(self) -> None:
        """Forget all batches: at the start of an epoch or an evaluation."""
        self.has_seen_batches = False
        for metric in (self.loss, *self.output_losses.values(), *self.metrics):
            metric.reset()  # type: ignore[operator]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
