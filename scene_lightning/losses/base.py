"""(y_true, y_pred, sample_weight) in; one differentiable number (or, unreduced, one a sample) out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

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
    """The names of reductions, as Keras 2 wrote them."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


class Loss:
    """Base class of losses: subclasses give `call(y_true, y_pred) → values a sample`. Keras: `keras.losses.Loss`.

    Args:
        name: shown in logs; the snake-cased class name when None.
        reduction: 'sum_over_batch_size' (= 'mean': sum ÷ number of values, also with sample weights), 'sum',
            'mean_with_sample_weight' (÷ Σ weights), 'none' or None. Keras 2's 'auto' is the first.
        dtype: taken for Keras' sake; losses are computed in float32 (float64 for float64 predictions).
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
            return reduce_weighted(values, sample_weight, mask, self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """Values a sample; subclasses override this."""
        raise NotImplementedError(f"{type(self).__name__} must override call(y_true, y_pred).")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this loss again: `name` and `reduction` here."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """A loss from `get_config`'s dict."""
        return cls(**{key: value for key, value in config.items() if key != "fn"})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class LossFunctionWrapper(Loss):
    """A plain function (y_true, y_pred, **kwargs) → values a sample, as a loss."""

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


def reduce_weighted(values: Tensor, sample_weight: Any, mask: Tensor | None, reduction: str | None) -> Tensor:
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
