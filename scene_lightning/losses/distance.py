"""Loss classes of regression and of hinges: how far predictions are from their targets."""

from __future__ import annotations

from typing import Any

from scene_lightning import _objectives as fn
from scene_lightning.losses.base import DeclaredLoss, LossWithoutOptions


class MeanSquaredError(LossWithoutOptions):
    """Mean of the squared errors: mean (t − p)².

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'mean_squared_error'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.mean_squared_error)


class MeanAbsoluteError(LossWithoutOptions):
    """Mean of the absolute errors: mean |t − p|.

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'mean_absolute_error'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.mean_absolute_error)


class MeanAbsolutePercentageError(LossWithoutOptions):
    """Mean of the absolute errors in percent of the targets: 100 · mean |(t − p)/max(|t|, ε)|.

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'mean_absolute_percentage_error'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(LossWithoutOptions):
    """Mean squared difference of logarithms: mean (log(t + 1) − log(p + 1))², with t and p at least ε.

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'mean_squared_logarithmic_error'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.mean_squared_logarithmic_error)


class LogCosh(LossWithoutOptions):
    """Mean of the logarithm of the hyperbolic cosine of the error: mean log(cosh(p − t)).

    About ½e² for small errors and |e| − log 2 for large ones, so that a few wild predictions weigh little.

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'log_cosh'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.log_cosh)


class Huber(DeclaredLoss):
    """Squared error near zero and absolute error far from it: ½e² up to `delta`, delta·|e| − ½delta² beyond.

    Args:
        delta: the error at which the loss turns from a parabola into a line.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.huber)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        self.delta = delta
        super().__init__(reduction, name, dtype)


class CosineSimilarity(DeclaredLoss):
    """Negative cosine of the angle between t and p: −1 for the same direction, 1 for opposite ones.

    Args:
        axis: axis of the vectors that are compared.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.cosine_similarity)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        self.axis = axis
        super().__init__(reduction, name, dtype)


class Hinge(LossWithoutOptions):
    """Hinge loss of the sign: mean max(1 − t·p, 0), with labels −1 and 1 (0 and 1 are turned into these).

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'hinge'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.hinge)


class SquaredHinge(LossWithoutOptions):
    """Squared hinge loss of the sign: mean max(1 − t·p, 0)², with labels −1 and 1 (0 and 1 are turned into these).

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'squared_hinge'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.squared_hinge)


class CategoricalHinge(LossWithoutOptions):
    """Hinge loss of several classes with one-hot labels: max(max((1−t)·p) − Σ t·p + 1, 0).

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'categorical_hinge'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.categorical_hinge)


class KLDivergence(LossWithoutOptions):
    """Kullback–Leibler divergence of two distributions: Σ t·log(t/p), both clipped to [ε, 1].

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'kl_divergence'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.kl_divergence)


class Poisson(LossWithoutOptions):
    """Poisson loss of counts: mean p − t·log(p + ε), with p the predicted rates.

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'poisson'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.poisson)


__all__ = [
    "CategoricalHinge", "CosineSimilarity", "Hinge", "Huber", "KLDivergence", "LogCosh", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson", "SquaredHinge",
]  # fmt: skip
