"""The base classes of losses: calling, weighting and reducing to one differentiable number."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from scene_lightning._naming import auto_name
from scene_lightning._objectives.shapes import apply_mask, as_prediction, get_mask, match_ranks
from scene_lightning._registry import registered_name
from scene_lightning.errors import InputError

_REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)
_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


class Reduction:
    """The names of reductions, as Keras 2 wrote them: `AUTO`, `NONE`, `SUM` and `SUM_OVER_BATCH_SIZE`."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


class Loss:
    """Base class of losses: a subclass gives `call(y_true, y_pred)`, one value a sample. Keras: `keras.losses.Loss`.

    Called as `loss(y_true, y_pred, sample_weight=None)`, it weighs these values and reduces them to a scalar.

    Args:
        name: name of the loss in logs; None means the class name in snake case.
        reduction: 'sum_over_batch_size' (also 'mean' and Keras 2's 'auto': sum ÷ number of values, also with sample
            weights), 'sum', 'mean_with_sample_weight' (sum ÷ sum of weights), 'none' or None (one value a sample).
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.

    Raises:
        InputError: an unknown reduction.
    """

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = name or auto_name(type(self).__name__)
        reduction = "sum_over_batch_size" if reduction == "auto" else reduction
        if reduction not in _REDUCTIONS:
            raise InputError(f"Unknown reduction {reduction!r}. Expected one of {_REDUCTIONS}.")
        self.reduction = reduction
        self.dtype = dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        prediction = as_prediction(y_pred)
        target = y_true if isinstance(y_true, Tensor) else torch.as_tensor(np.asarray(y_true))
        target = target.to(prediction.device)
        # under autocast the loss itself stays in float32: a bfloat16 mean of a batch is off in the third digit
        with _no_autocast(prediction.device):
            values = self.call(target, prediction)
            masks = [mask for mask in (get_mask(y_pred), get_mask(values)) if mask is not None]
            mask = None if not masks else masks[0] if len(masks) == 1 else masks[0] & masks[1]
            return _reduce_weighted(values, sample_weight, mask, self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """Compute one value a sample; subclasses override this.

        Args:
            y_true: targets of shape (batch, ...), a tensor on y_pred's device.
            y_pred: predictions of shape (batch, ...), a floating tensor.

        Returns:
            Tensor of shape (batch, ...).
        """
        raise NotImplementedError(f"{type(self).__name__} must override call(y_true, y_pred).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this loss again: `name` and `reduction` here."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """Make a loss from `get_config`'s dict.

        Args:
            config: the arguments by name.
        """
        return cls(**{key: value for key, value in config.items() if key != "fn"})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class LossFunctionWrapper(Loss):
    """Loss of a plain function that gives one value a sample.

    Args:
        fn: function (y_true, y_pred, **kwargs) → tensor of shape (batch, ...).
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means the class name in snake case.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
        **kwargs: passed to `fn` at every call.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        if isinstance(y_true, Tensor):
            y_true, y_pred = match_ranks(y_true, y_pred)
        return torch.as_tensor(self.fn(y_true, y_pred, **self._fn_kwargs))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if type(self) is LossFunctionWrapper:
            config["fn"] = registered_name(self.fn) or getattr(self.fn, "__name__", repr(self.fn))
        return {**config, **self._fn_kwargs}


class DeclaredLoss(LossFunctionWrapper):
    """Base of the losses with a function of their own, which a subclass declares as `_fn`.

    The function's options are attributes of the loss, set before this constructor runs, or `options`.

    Args:
        reduction: how the values of a batch become one, as for `Loss`.
        name: name in logs; None: that of the class in snake case.
        dtype: as for `Loss`.
        **options: options of the function that the loss does not keep as attributes.
    """

    _fn: ClassVar[Callable[..., Any]]

    def __init__(self, reduction: str | None, name: str | None, dtype: Any, **options: Any) -> None:
        known = inspect.signature(type(self)._fn).parameters
        own = {name: value for name, value in vars(self).items() if name in known}
        super().__init__(type(self)._fn, reduction, name, dtype, **own, **options)


class LossWithoutOptions(DeclaredLoss):
    """Base of the losses whose function takes no options, and gives them their name.

    Args:
        reduction: how the values of a batch become one, as for `Loss`.
        name: name in logs; None: that of the function.
        dtype: as for `Loss`.
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(reduction, name or type(self)._fn.__name__, dtype)


def _reduce_weighted(values: Tensor, sample_weight: Any, mask: Tensor | None, reduction: str | None) -> Tensor:
    """Weigh `values` and reduce them; every mean but the last divides by the number of values, not by Σ weights."""
    weight = None
    if sample_weight is not None:
        weight = torch.as_tensor(sample_weight).to(device=values.device, dtype=values.dtype)
    weight = apply_mask(weight, mask, mean=reduction in ("mean", "sum_over_batch_size"), dtype=values.dtype)
    if weight is not None:
        values, weight = match_ranks(values, weight)
        values = values * weight
    if reduction in (None, "none") or values.ndim == 0:
        return values
    total = values.sum()
    if reduction not in _MEANS:
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        divisor = weight.sum()
        return torch.where(divisor == 0, torch.zeros_like(total), total / torch.where(divisor == 0, 1.0, divisor))
    return total / max(values.numel(), 1)


def _no_autocast(device: torch.device) -> Any:
    # not every kind of device has autocasting: "meta", which computes shapes alone, has none
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return contextlib.nullcontext()


__all__ = ["Loss", "LossFunctionWrapper", "Reduction"]
