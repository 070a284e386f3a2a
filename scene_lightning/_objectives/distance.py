"""Targets and predictions in; distances a sample (averaged or summed over the last axis) out.

Sources: https://keras.io/api/losses/regression_losses, .../hinge_losses, .../probabilistic_losses
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from scene_lightning._objectives.shapes import as_prediction, as_target, l2_normalise, pair
from scene_lightning.backend import epsilon


def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """mean (t − p)²."""
    t, p = pair(y_true, y_pred)
    return (t - p).square().mean(dim=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """mean |t − p|."""
    t, p = pair(y_true, y_pred)
    return (t - p).abs().mean(dim=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """100 · mean |(t − p)/max(|t|, ε)|."""
    t, p = pair(y_true, y_pred)
    return 100.0 * ((t - p) / torch.clamp(t.abs(), min=epsilon())).abs().mean(dim=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """mean (log(max(t, ε) + 1) − log(max(p, ε) + 1))²."""
    t, p = pair(y_true, y_pred)
    difference = torch.log(torch.clamp(p, min=epsilon()) + 1.0) - torch.log(torch.clamp(t, min=epsilon()) + 1.0)
    return difference.square().mean(dim=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """−cos of the angle between t and p: −1 when they point the same way."""
    t, p = pair(y_true, y_pred)
    return -(l2_normalise(t, axis) * l2_normalise(p, axis)).sum(dim=axis)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """½e² up to `delta`, delta·|e| − ½delta² beyond."""
    t, p = pair(y_true, y_pred)
    error = (p - t).abs()
    return torch.where(error <= delta, 0.5 * error.square(), delta * error - 0.5 * delta**2).mean(dim=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """mean log(cosh(p − t))."""
    t, p = pair(y_true, y_pred)
    error = p - t
    return (error + F.softplus(error * -2.0) - math.log(2.0)).mean(dim=-1)


def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """Σ t·log(t/p), both clipped to [ε, 1]."""
    p = as_prediction(y_pred)
    t = torch.clamp(as_target(y_true, p), epsilon(), 1)
    return (t * torch.log(t / torch.clamp(p, epsilon(), 1))).sum(dim=-1)


def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """mean p − t·log(p + ε)."""
    p = as_prediction(y_pred)
    return (p - as_target(y_true, p) * torch.log(p + epsilon())).mean(dim=-1)


def _signed(t: Tensor) -> Tensor:
    """Labels 0/1 → −1/1; others unchanged. The choice is made on the device, without waiting for it."""
    is_binary = ((t == 0) | (t == 1)).all()
    return torch.where(is_binary, 2.0 * t - 1.0, t)


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """mean max(1 − t·p, 0); labels −1/1 or 0/1."""
    p = as_prediction(y_pred)
    return torch.clamp(1.0 - _signed(as_target(y_true, p)) * p, min=0.0).mean(dim=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """mean max(1 − t·p, 0)²; labels −1/1 or 0/1."""
    p = as_prediction(y_pred)
    return torch.clamp(1.0 - _signed(as_target(y_true, p)) * p, min=0.0).square().mean(dim=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """max(max((1−t)·p) − Σ t·p + 1, 0); one-hot labels."""
    p = as_prediction(y_pred)
    t = as_target(y_true, p)
    wrong = torch.amax((1.0 - t) * p, dim=-1)
    return torch.clamp(wrong - (t * p).sum(dim=-1) + 1.0, min=0.0)
