"""Distances between targets and predictions, one value a sample: the functions of regression and of hinges.

Sources: https://keras.io/api/losses/regression_losses, .../hinge_losses, .../probabilistic_losses
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from scene_lightning._objectives.shapes import as_prediction, as_target, l2_normalise, pair
from scene_lightning._settings import epsilon


def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of the squared errors over the last axis: mean (t − p)².

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.
    """
    t, p = pair(y_true, y_pred)
    return (t - p).square().mean(dim=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of the absolute errors over the last axis: mean |t − p|.

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.
    """
    t, p = pair(y_true, y_pred)
    return (t - p).abs().mean(dim=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of the absolute errors in percent of the targets: 100 · mean |(t − p)/max(|t|, ε)|.

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.
    """
    t, p = pair(y_true, y_pred)
    return 100.0 * ((t - p) / torch.clamp(t.abs(), min=epsilon())).abs().mean(dim=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean squared difference of logarithms: mean (log(max(t, ε) + 1) − log(max(p, ε) + 1))².

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.
    """
    t, p = pair(y_true, y_pred)
    difference = torch.log(torch.clamp(p, min=epsilon()) + 1.0) - torch.log(torch.clamp(t, min=epsilon()) + 1.0)
    return difference.square().mean(dim=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Negative cosine of the angle between t and p: −1 for the same direction, 1 for opposite ones.

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).
        axis: axis of the vectors that are compared.

    Returns:
        Tensor of shape (batch, ...): `axis` is gone.
    """
    t, p = pair(y_true, y_pred)
    return -(l2_normalise(t, axis) * l2_normalise(p, axis)).sum(dim=axis)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """Squared error near zero and absolute error far from it: ½e² up to `delta`, delta·|e| − ½delta² beyond, averaged.

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).
        delta: the error at which the loss turns from a parabola into a line.

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.
    """
    t, p = pair(y_true, y_pred)
    error = (p - t).abs()
    return torch.where(error <= delta, 0.5 * error.square(), delta * error - 0.5 * delta**2).mean(dim=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of the logarithm of the hyperbolic cosine of the error: mean log(cosh(p − t)).

    About ½e² for small errors and |e| − log 2 for large ones, so that a few wild predictions weigh little.

    Args:
        y_true: targets of y_pred's shape.
        y_pred: predictions of shape (batch, ..., features).

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.
    """
    t, p = pair(y_true, y_pred)
    error = p - t
    return (error + F.softplus(error * -2.0) - math.log(2.0)).mean(dim=-1)


def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """Kullback–Leibler divergence of two distributions: Σ t·log(t/p) over the last axis, both clipped to [ε, 1].

    Args:
        y_true: target probabilities of shape (batch, ..., classes).
        y_pred: predicted probabilities of shape (batch, ..., classes).

    Returns:
        Tensor of shape (batch, ...): the class axis is gone.
    """
    p = as_prediction(y_pred)
    t = torch.clamp(as_target(y_true, p), epsilon(), 1)
    return (t * torch.log(t / torch.clamp(p, epsilon(), 1))).sum(dim=-1)


def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """Poisson loss of counts: mean p − t·log(p + ε), the negative log-likelihood but for a constant.

    Args:
        y_true: counts, of y_pred's shape.
        y_pred: predicted rates, of shape (batch, ..., features).

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.
    """
    p = as_prediction(y_pred)
    return (p - as_target(y_true, p) * torch.log(p + epsilon())).mean(dim=-1)


def _signed(t: Tensor) -> Tensor:
    """Labels −1 and 1 for 0 and 1; others unchanged. The choice is made on the device, without waiting for it."""
    is_binary = ((t == 0) | (t == 1)).all()
    return torch.where(is_binary, 2.0 * t - 1.0, t)


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Hinge loss of the sign: mean max(1 − t·p, 0) over the last axis.

    Args:
        y_true: labels −1 and 1; labels 0 and 1 are turned into these.
        y_pred: scores whose sign is the prediction.

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.
    """
    p = as_prediction(y_pred)
    return torch.clamp(1.0 - _signed(as_target(y_true, p)) * p, min=0.0).mean(dim=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Squared hinge loss of the sign: mean max(1 − t·p, 0)² over the last axis.

    Args:
        y_true: labels −1 and 1; labels 0 and 1 are turned into these.
        y_pred: scores whose sign is the prediction.

    Returns:
        Tensor of shape (batch, ...): the last axis is averaged.
    """
    p = as_prediction(y_pred)
    return torch.clamp(1.0 - _signed(as_target(y_true, p)) * p, min=0.0).square().mean(dim=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Hinge loss of several classes: max(max((1−t)·p) − Σ t·p + 1, 0).

    Args:
        y_true: one-hot labels of shape (batch, ..., classes).
        y_pred: scores of shape (batch, ..., classes).

    Returns:
        Tensor of shape (batch, ...): the class axis is gone.
    """
    p = as_prediction(y_pred)
    t = as_target(y_true, p)
    wrong = torch.amax((1.0 - t) * p, dim=-1)
    return torch.clamp(wrong - (t * p).sum(dim=-1) + 1.0, min=0.0)


__all__ = [
    "categorical_hinge", "cosine_similarity", "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "poisson",
    "squared_hinge",
]  # fmt: skip
