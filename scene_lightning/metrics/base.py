"""The base classes of metrics: running values over batches, with Keras' methods, as torchmetrics' metrics.

Subclasses (ours and a user's) override `update_state`, `result` and `reset_state`; torchmetrics moves the states
between devices and sums them over processes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torchmetrics
from torch import Tensor

from scene_lightning import _objectives
from scene_lightning._naming import auto_name
from scene_lightning._objectives.shapes import apply_mask, get_mask, match_ranks
from scene_lightning._registry import Configured, naming_unknown_words, registered_name
from scene_lightning._settings import torch_dtype
from scene_lightning.metrics.variable import MetricVariable


def _through_torchmetrics(method: Callable[..., Any], entry: str) -> Callable[..., Any]:
    """Calls from outside go through torchmetrics' `entry` (no_grad, synchronisation); `super()` calls go straight."""

    @functools.wraps(method)
    def wrapped(self: Metric, *args: Any, **kwargs: Any) -> Any:
        if self._inside:
            return method(self, *args, **kwargs)
        own = self.__dict__  # torch's __setattr__ takes its time
        own["_inside"] = True
        try:
            return getattr(self, entry)(*args, **kwargs)
        finally:
            own["_inside"] = False

    return wrapped


class Metric(Configured, torchmetrics.Metric):
    """Base class of metrics: a value that is updated batch by batch. Keras: `keras.metrics.Metric`.

    A subclass makes its states with `add_weight` and overrides `update_state` and `result`.

    Args:
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    full_state_update = True
    is_differentiable = False
    _direction: str | None = None

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        # caching would hide what a user assigns to a variable between two results
        super().__init__(compute_with_cache=False)
        self.name = name or auto_name(type(self).__name__)
        self._inside = False
        self._keras_variables: list[MetricVariable] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, entry in (("update_state", "update"), ("result", "compute")):
            if name in cls.__dict__:
                setattr(cls, name, _through_torchmetrics(cls.__dict__[name], entry))
        if "reset_states" in cls.__dict__ and "reset_state" not in cls.__dict__:  # written for Keras before 2.5
            cls.reset_state = cls.__dict__["reset_states"]  # type: ignore[method-assign]

    # -- what subclasses override -------------------------------------------------------------------------------------

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in one batch; subclasses override this.

        Args:
            *args: mostly y_true, y_pred and sample_weight, each with the batch axis first.
            **kwargs: the same by name.
        """
        raise NotImplementedError(f"{type(self).__name__} must override update_state(y_true, y_pred, sample_weight).")

    def result(self) -> Any:
        """Return the value so far, a scalar tensor or a dict of them; subclasses override this."""
        raise NotImplementedError(f"{type(self).__name__} must override result().")

    def reset_state(self) -> None:
        """Set all states back to their initial values, as at the start of an epoch."""
        torchmetrics.Metric.reset(self)

    def reset_states(self) -> None:
        """Call `reset_state`: Keras 2's name of it; a subclass may override either."""
        self.reset_state()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this metric again."""
        return {"name": self.name, **super().get_config()}

    # -- variables ----------------------------------------------------------------------------------------------------

    @naming_unknown_words
    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        name: str | None = None,
        aggregation: Any = None,
        synchronization: Any = None,
        trainable: bool = False,
    ) -> MetricVariable:
        """Make a state that is summed over processes and never trained. Keras: `Metric.add_weight`.

        Keras 2's order `add_weight(name, shape)` works, too.

        Args:
            shape: its shape; () for a scalar.
            initializer: "zeros", "ones" or a callable (shape, dtype).
            dtype: its dtype; None means float32, or what `set_floatx` chose.
            name: its name.
            aggregation, synchronization, trainable: accepted as in Keras, without effect.

        Returns:
            A `MetricVariable`, with `assign` and `assign_add`.
        """
        if isinstance(shape, str):
            shape, name = (), shape
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        kind = torch_dtype(dtype)
        if callable(initializer):
            values = torch.as_tensor(initializer(shape, dtype=kind))
        else:
            values = torch.full(shape, 1.0 if str(initializer).lower() in ("ones", "one") else 0.0, dtype=kind)
        state = f"_state_{len(self._keras_variables)}"
        self.add_state(state, values.to(self.device), dist_reduce_fx="sum")
        variable = MetricVariable(self, state, name or "variable")
        self._keras_variables.append(variable)
        return variable

    add_variable = add_weight

    @property
    def variables(self) -> list[MetricVariable]:
        """The states in order of creation."""
        return list(self._keras_variables)

    # -- torchmetrics -------------------------------------------------------------------------------------------------

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Take in one batch: torchmetrics' name of `update_state`. The states follow the data to its device.

        Args:
            *args: what `update_state` takes.
            **kwargs: the same by name.
        """
        tensor = next((arg for arg in reversed(args) if isinstance(arg, Tensor)), None)
        if tensor is not None and tensor.device != self.device:
            self.to(tensor.device)
        self._run("update_state", *args, **kwargs)

    def compute(self) -> Any:
        """Return the value over all processes: torchmetrics' name of `result`."""
        return self._run("result")

    def _run(self, method: str, *args: Any, **kwargs: Any) -> Any:
        own = self.__dict__
        before, own["_inside"] = own["_inside"], True
        try:
            return getattr(self, method)(*args, **kwargs)
        finally:
            own["_inside"] = before

    def reset(self) -> None:
        """Set all states back: torchmetrics' name of `reset_state`."""
        self.reset_state()

    @property
    def update_called(self) -> bool:
        """Always true: Keras answers 0 before the first batch, where torchmetrics would warn."""
        return True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Take in one batch and return the value so far on this process, as Keras does for `metric(y_true, y_pred)`.

        Args:
            *args: what `update_state` takes.
            **kwargs: the same by name.
        """
        self.update(*args, **kwargs)
        self._forward_cache = self.local_result()
        return self._forward_cache

    def local_result(self) -> Any:
        """Return the value so far of this process alone: no communication."""
        with torch.no_grad():
            return self._run("result")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def to_tensor(x: Any, like: Tensor | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """Make a detached tensor of anything array-like, on the device of `like`; 16-bit floats become float32.

    Args:
        x: tensor, array, number or list.
        like: a tensor on the wanted device; None: `x` stays where it is.
        dtype: wanted dtype; None: that of `x`.
    """
    if dtype is not None and like is not None and isinstance(x, int | float):  # filled there, where a copy would wait
        return torch.full((), x, dtype=dtype, device=like.device)
    tensor = x.detach() if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x))
    if dtype is not None:
        tensor = tensor.to(dtype)
    elif tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    return tensor if like is None else tensor.to(like.device)


def _per_sample(values: Tensor, weight: Any, mean: bool) -> tuple[Tensor, Tensor | None]:
    """Reduce all axes but the first; weights multiply as in Keras' `reduce_to_samplewise_values`."""
    mask = get_mask(values)
    values = to_tensor(values, dtype=torch.float32)
    reduce = (lambda x, axes: x.mean(axes)) if mean else (lambda x, axes: x.sum(axes))
    if weight is not None:
        weight = to_tensor(weight, like=values, dtype=torch.float32)
        weight = apply_mask(weight, mask, mean=False, dtype=values.dtype)
        values, weight = match_ranks(values, weight)
        rank = weight.ndim
        if values.ndim > rank:
            values = reduce(values, list(range(rank, values.ndim)))
        weight = weight.broadcast_to(values.shape)
        values = values * weight
        if rank > 1:
            weight = reduce(weight, list(range(1, rank)))
    if values.ndim > 1:
        values = reduce(values, list(range(1, values.ndim)))
    return values, weight


class Sum(Metric):
    """Weighted sum of values: Σ w·values.

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    total: Tensor

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add a batch of values.

        Args:
            values: tensor of shape (batch, ...), or a number.
            sample_weight: weight of each value, of a shape that broadcasts to values'.
        """
        values, _ = _per_sample(_as_values(values), sample_weight, mean=False)
        self.total = self.total + values.sum()

    def result(self) -> Tensor:
        return self.total


class Mean(Metric):
    """Weighted mean of values: Σ w·values ÷ Σ w, and 0 before the first value.

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    total: Tensor
    count: Tensor

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Take in a batch of values.

        Args:
            values: tensor of shape (batch, ...), or a number.
            sample_weight: weight of each value, of a shape that broadcasts to values'.
        """
        values = _as_values(values)
        if values.ndim == 0 and type(sample_weight) is int and values.dtype == torch.float32:  # the loss of a batch
            self.total = self.total + values.detach() * sample_weight
            self.count = self.count + sample_weight
            return
        values, weight = _per_sample(values, sample_weight, mean=True)
        self.total = self.total + values.sum()
        self.count = self.count + (weight.sum() if weight is not None else values.shape[0] if values.ndim else 1)

    def result(self) -> Tensor:
        return torch.where(self.count == 0, 0.0, self.total / self.count)


def _as_values(values: Any) -> Tensor:
    return values if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values, dtype=np.float32))


class MeanMetricWrapper(Mean):
    """Mean of a plain function (y_true, y_pred, **kwargs) that gives one value a sample.

    Args:
        fn: function (y_true, y_pred, **kwargs) → tensor of shape (batch, ...).
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.
        **kwargs: passed to `fn` at every call.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if any(fn is getattr(_objectives, objective) for objective in _objectives.__all__):
            self._direction = "down"  # a loss

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        prediction = y_pred if isinstance(y_pred, Tensor) else torch.as_tensor(np.asarray(y_pred))
        if prediction.dtype == torch.float64 and not isinstance(y_pred, Tensor | np.ndarray):
            prediction = prediction.float()
        target = y_true if isinstance(y_true, Tensor) else torch.as_tensor(np.asarray(y_true))
        values = self._fn(target.to(prediction.device), prediction, **self._fn_kwargs)
        mask = get_mask(prediction)
        if sample_weight is not None:
            sample_weight = to_tensor(sample_weight, like=prediction, dtype=torch.float32)
        sample_weight = apply_mask(sample_weight, mask, mean=False, dtype=torch.float32)
        super().update_state(values, sample_weight=sample_weight)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if type(self) is MeanMetricWrapper:
            config["fn"] = registered_name(self._fn) or getattr(self._fn, "__name__", repr(self._fn))
        return {**config, **self._fn_kwargs}
