"""Maximum-margin minimum classification error: how far each sample is from a safe decision.

M³CE, and M³CE-CEc, its sum with cross-entropy: M. Xin and Y. Wang, "Research on image classification model based on
deep convolution neural network", EURASIP Journal on Image and Video Processing 2019:40, doi 10.1186/s13640-019-0417-8.

What is implemented is a reconstruction: of that article its abstract and introduction were at hand, not its equations.
It keeps to what the criterion's name says and to the definitions that it builds on: the misclassification measure and
its sigmoid of minimum classification error (Juang and Katagiri, "Discriminative learning for minimum error
classification", IEEE Transactions on Signal Processing 40(12), 1992) on the network's posterior probabilities, with a
margin and the hinge of maximum-margin learning (Crammer and Singer, JMLR 2, 2001).
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from scene_lightning._objectives.crossentropy import _log_probabilities, _one_hot_target, categorical_crossentropy
from scene_lightning._objectives.shapes import as_prediction
from scene_lightning.errors import InputError


def m3ce(
    y_true: Any,
    y_pred: Any,
    margin: float = 0.5,
    eta: float | None = None,
    slope: float | None = None,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Maximum-margin minimum classification error: 0 where the true class leads by `margin`.

    With p the posterior probabilities (the softmax of logits), for the true class k:

        d_k  = −p_k + max over j ≠ k of p_j       the misclassification measure, in [−1, 1]
        m3ce = max(0, d_k + margin)               or, with a slope, sigmoid(slope · (d_k + margin))

    Shares of several classes as targets (label smoothing, mixup) weigh the values of these classes.

    Args:
        y_true: one-hot labels or class probabilities of shape (batch, ..., classes).
        y_pred: class probabilities of shape (batch, ..., classes), or logits with from_logits=True.
        margin: by how much the true class has to lead, from 0 (an error is what counts) to 1 (never satisfied).
        eta: None compares with the strongest other class; a number above 0 with all of them, by the power mean [1/(K−1)
            · Σ_{j≠k} p_j^eta]^(1/eta), which tends to the maximum as eta grows.
        slope: None for the hinge; a number above 0 for the smooth count of errors, which does not grow with how wrong
            they are, so that mislabelled images weigh little; the larger, the nearer to a step.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: share of each label, in [0, 1], that is spread evenly over all classes.

    Returns:
        Tensor of shape (batch, ...): the class axis is gone.

    Raises:
        InputError: the shapes differ, there is one class only, or an argument is out of its range.
    """
    check_m3ce(margin, eta, slope)
    y_pred = as_prediction(y_pred)
    target = _one_hot_target("m3ce", y_true, y_pred, label_smoothing)
    if y_pred.shape[-1] < 2:
        raise InputError("m3ce compares classes: expected at least two outputs; received one. Use binary_crossentropy.")
    log_p = _log_probabilities("m3ce", y_pred, from_logits, axis=-1)
    p = log_p.exp()
    lead = _strongest_other(p) - p if eta is None else _mean_of_others(log_p, eta) - p
    value = lead + margin
    value = value.clamp(min=0.0) if slope is None else torch.sigmoid(slope * value)
    return (target * value).sum(dim=-1)


def m3ce_crossentropy(
    y_true: Any,
    y_pred: Any,
    weight: float = 1.0,
    margin: float = 0.5,
    eta: float | None = None,
    slope: float | None = None,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Tensor:
    """M³CE-CEc: categorical cross-entropy plus `weight` times `m3ce`.

    Args:
        y_true: one-hot labels or class probabilities of shape (batch, ..., classes).
        y_pred: class probabilities of shape (batch, ..., classes), or logits with from_logits=True.
        weight: factor of the margin's part, 0 or more; with 0 this is categorical cross-entropy.
        margin, eta, slope: of the margin's part; see `m3ce`.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: share of each label, in [0, 1], that is spread evenly over all classes.

    Returns:
        Tensor of shape (batch, ...): the class axis is gone.

    Raises:
        InputError: the shapes differ, there is one class only, or an argument is out of its range.
    """
    check_m3ce(margin, eta, slope, weight)
    entropy = categorical_crossentropy(y_true, y_pred, from_logits, label_smoothing)
    return entropy + weight * m3ce(y_true, y_pred, margin, eta, slope, from_logits, label_smoothing)


def check_m3ce(margin: float, eta: float | None, slope: float | None, weight: float = 1.0) -> None:
    """Raise InputError for an argument out of its range.

    Args:
        margin: smallest wanted difference of probabilities, 0 to 1.
        eta, slope: above 0, or None.
        weight: of the margin's part of the loss, 0 or more.
    """
    if not 0 <= margin <= 1:
        raise InputError(f"margin is a difference of probabilities: expected 0 to 1; received {margin}.")
    if weight < 0:
        raise InputError(f"weight: expected 0 or more; received {weight}.")
    for name, value in (("eta", eta), ("slope", slope)):
        if value is not None and not value > 0:
            raise InputError(f"{name}: expected a number above 0, or None; received {value}.")


def _strongest_other(p: Tensor) -> Tensor:
    """For each class the largest of the other classes, in the shape of `p`."""
    values, places = torch.topk(p, 2, dim=-1)
    is_first = F.one_hot(places[..., 0], p.shape[-1]).bool()
    return torch.where(is_first, values[..., 1:], values[..., :1])


def _mean_of_others(log_p: Tensor, eta: float) -> Tensor:
    """For each class the power mean of the others' probabilities.

    In logarithms, and from sums over the classes before and after (a difference of the whole sum and one's own would
    lose all digits where one class has nearly everything).
    """
    powers = eta * log_p
    nothing = torch.full_like(powers[..., :1], -torch.inf)
    before = torch.cat([nothing, torch.logcumsumexp(powers, dim=-1)[..., :-1]], dim=-1)
    after = torch.cat([nothing, torch.logcumsumexp(powers.flip(-1), dim=-1)[..., :-1]], dim=-1).flip(-1)
    return ((torch.logaddexp(before, after) - math.log(log_p.shape[-1] - 1)) / eta).exp()


__all__ = ["m3ce", "m3ce_crossentropy"]
