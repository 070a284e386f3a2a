"""Metrics that are running means of a function: errors, cross-entropies, hinges, correlations.

Sources: https://keras.io/api/metrics/ (probabilistic, regression and hinge metrics)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from scene_lightning import _objectives as fn
from scene_lightning._objectives.shapes import as_prediction, as_target, match_ranks, pair
from scene_lightning._settings import epsilon
from scene_lightning.metrics.base import Mean, MeanMetricWrapper


class _MeanOfFunction(MeanMetricWrapper):
    """Base of the metrics whose function takes no options, and gives them their name."""

    _function: ClassVar[Callable[..., Tensor]]

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(type(self)._function, name or type(self)._function.__name__, dtype)


class MeanSquaredError(_MeanOfFunction):
    """Mean of the squared errors: mean (t − p)².

    Args:
        name: name shown in logs; None means 'mean_squared_error'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.mean_squared_error)


class MeanAbsoluteError(_MeanOfFunction):
    """Mean of the absolute errors: mean |t − p|.

    Args:
        name: name shown in logs; None means 'mean_absolute_error'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.mean_absolute_error)


class MeanAbsolutePercentageError(_MeanOfFunction):
    """Mean of the absolute errors in percent of the targets: 100 · mean |(t − p)/max(|t|, ε)|.

    Args:
        name: name shown in logs; None means 'mean_absolute_percentage_error'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(_MeanOfFunction):
    """Mean squared difference of logarithms: mean (log(t + 1) − log(p + 1))², with t and p at least ε.

    Args:
        name: name shown in logs; None means 'mean_squared_logarithmic_error'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.mean_squared_logarithmic_error)


class LogCoshError(_MeanOfFunction):
    """Mean of the logarithm of the hyperbolic cosine of the error: mean log(cosh(p − t)).

    Args:
        name: name shown in logs; None means 'logcosh'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.log_cosh)

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(name or "logcosh", dtype)


class Hinge(_MeanOfFunction):
    """Mean hinge loss of the sign: mean max(1 − t·p, 0), with labels −1 and 1 (0 and 1 are turned into these).

    Args:
        name: name shown in logs; None means 'hinge'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.hinge)


class SquaredHinge(_MeanOfFunction):
    """Mean squared hinge loss: mean max(1 − t·p, 0)², with labels −1 and 1 (0 and 1 are turned into these).

    Args:
        name: name shown in logs; None means 'squared_hinge'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.squared_hinge)


class CategoricalHinge(_MeanOfFunction):
    """Mean hinge loss of several classes with one-hot labels: max(max((1−t)·p) − Σ t·p + 1, 0).

    Args:
        name: name shown in logs; None means 'categorical_hinge'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.categorical_hinge)


class KLDivergence(_MeanOfFunction):
    """Mean Kullback–Leibler divergence of two distributions: Σ t·log(t/p), both clipped to [ε, 1].

    Args:
        name: name shown in logs; None means 'kl_divergence'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.kl_divergence)


class Poisson(_MeanOfFunction):
    """Mean Poisson loss of counts: mean p − t·log(p + ε), with p the predicted rates.

    Args:
        name: name shown in logs; None means 'poisson'.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _function = staticmethod(fn.poisson)


class BinaryCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy of 0/1 labels with probabilities: −t·log p − (1−t)·log(1−p).

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: in [0, 1], how far labels move from 0 and 1 towards 0.5.
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(fn.binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy of one-hot labels with class probabilities: −Σ t·log p.

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: share of each label, in [0, 1], that is spread evenly over all classes.
        axis: axis of the classes.
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            fn.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Mean cross-entropy of integer labels with class probabilities: −log p of the labelled class.

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        ignore_class: a label whose samples give 0; None: none. Unlike in the loss, they still count in the mean, as in
            Keras.
        axis: axis of the classes.
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            fn.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Cosine of the angle between t and p: 1 for the same direction (the loss of that name has a minus).

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).
        axis: axis of the vectors that are compared.

    Returns:
        Tensor of shape (batch, ...): `axis` is gone.
    """
    return -fn.cosine_similarity(y_true, y_pred, axis=axis)


class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between t and p: 1 for the same direction, −1 for opposite ones.

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
        axis: axis of the vectors that are compared.
    """

    _direction = "up"

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(cosine_similarity, name, dtype, axis=axis)


class RootMeanSquaredError(Mean):
    """Square root of the mean squared error over everything seen: sqrt(mean (t − p)²).

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in one batch.

        Args:
            y_true: targets of y_pred's shape.
            y_pred: predictions of shape (batch, ...).
            sample_weight: weight of each sample, of a shape that broadcasts to y_pred's.
        """
        prediction = as_prediction(y_pred)
        target, prediction = match_ranks(as_target(y_true, prediction), prediction)
        super().update_state((prediction - target).square(), sample_weight=sample_weight)

    def result(self) -> Tensor:
        return torch.sqrt(super().result())


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Pearson's correlation of t and p: their covariance over the product of their standard deviations.

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).
        axis: axis along which they are correlated.

    Returns:
        Tensor of shape (batch, ...), with values in [−1, 1]: `axis` is gone.
    """
    t, p = pair(y_true, y_pred)
    t = t - t.mean(dim=axis, keepdim=True)
    p = p - p.mean(dim=axis, keepdim=True)
    t = t / t.std(dim=axis, keepdim=True, correction=0)
    p = p / p.std(dim=axis, keepdim=True, correction=0)
    return (t * p).mean(dim=axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Lin's concordance correlation of t and p, which also counts a shift or another scale as disagreement.

        mean 2·(t − mean p)·(p − mean p) / (var t + var p + (mean t − mean p)² + ε), as Keras computes it

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).
        axis: axis along which they are compared.

    Returns:
        Tensor of shape (batch, ...): `axis` is gone.
    """
    t, p = pair(y_true, y_pred)
    t_mean, p_mean = t.mean(dim=axis, keepdim=True), p.mean(dim=axis, keepdim=True)
    spread = t.var(dim=axis, keepdim=True, correction=0) + p.var(dim=axis, keepdim=True, correction=0)
    norm = spread + (t_mean - p_mean).square()
    return (2 * (t - p_mean) * (p - p_mean) / (norm + epsilon())).mean(dim=axis)


class PearsonCorrelation(MeanMetricWrapper):
    """Mean Pearson correlation of t and p: 1 for a perfect linear relation, −1 for an inverse one.

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
        axis: axis along which they are correlated.
    """

    _direction = "up"

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """Mean of Lin's concordance correlation of t and p: 1 where they agree, also in shift and scale.

    Args:
        name: name shown in logs.
        dtype: accepted as in Keras; sums are kept in float32.
        axis: axis along which they are compared.
    """

    _direction = "up"

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)


__all__ = [
    "BinaryCrossentropy", "CategoricalCrossentropy", "CategoricalHinge", "ConcordanceCorrelation",
    "CosineSimilarity", "Hinge", "KLDivergence", "LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "PearsonCorrelation", "Poisson", "RootMeanSquaredError",
    "SparseCategoricalCrossentropy", "SquaredHinge", "concordance_correlation", "cosine_similarity",
    "pearson_correlation",
]  # fmt: skip
