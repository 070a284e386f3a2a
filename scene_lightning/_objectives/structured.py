"""Overlap of masks, similarity of embeddings and alignment of sequences, as functions of targets and predictions.

Sources: https://keras.io/api/losses/ (Dice, Tversky, Circle, CTC)
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from scene_lightning._objectives.shapes import as_labels, as_prediction, as_target, set_mask
from scene_lightning._settings import epsilon
from scene_lightning.errors import InputError


def _sum(x: Tensor, axis: Any) -> Tensor:
    return x.sum() if axis is None else x.sum(dim=axis)


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Tensor:
    """Dice loss of masks: 1 − 2|t∩p|/(|t| + |p| + ε), 0 where they overlap fully.

    Args:
        y_true: masks of y_pred's shape, such as (batch, height, width, classes), with values between 0 and 1.
        y_pred: predicted masks, with values between 0 and 1.
        axis: axes over which the overlap is summed; None: all of them, the batch too.

    Returns:
        A scalar, or a tensor of the axes that are left.
    """
    p = as_prediction(y_pred)
    t = as_target(y_true, p)
    return 1 - 2.0 * _sum(t * p, axis) / (_sum(t, axis) + _sum(p, axis) + epsilon())


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Tensor:
    """Tversky loss of masks: 1 − |t∩p|/(|t∩p| + alpha·|t∖p| + beta·|p∖t| + ε).

    alpha = beta = 0.5 is the Dice loss. Salehi et al., 2017, arXiv:1706.05721; the two weights are used as Keras uses
    them.

    Args:
        y_true: masks of y_pred's shape, such as (batch, height, width, classes), with values between 0 and 1.
        y_pred: predicted masks, with values between 0 and 1.
        alpha: weight of what was missed (false negatives).
        beta: weight of what was invented (false positives).
        axis: axes over which the overlap is summed; None: all of them, the batch too.

    Returns:
        A scalar, or a tensor of the axes that are left.
    """
    p = as_prediction(y_pred)
    t = as_target(y_true, p)
    overlap = _sum(t * p, axis)
    missed = _sum((1 - p) * t, axis)
    invented = _sum(p * (1 - t), axis)
    return 1 - overlap / (overlap + missed * alpha + invented * beta + epsilon())


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Tensor:
    """Circle loss of embeddings: those of one class are drawn together, those of others pushed apart.

    Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", 2020, arXiv:2002.10857. Samples
    with a zero loss are masked.

    Args:
        y_true: integer class labels of shape (batch,).
        y_pred: L2-normalised embeddings of shape (batch, features).
        ref_labels: labels of shape (references,) of the embeddings that are compared with; None: y_true.
        ref_embeddings: those embeddings, of shape (references, features); None: y_pred.
        remove_diagonal: whether an embedding is left out of the comparison with itself.
        gamma: scale of the similarities; the larger, the more the hardest pairs count.
        margin: how far apart the similarities within and between classes have to be, in [0, 1].

    Returns:
        Tensor of shape (batch,).
    """
    p = as_prediction(y_pred)
    labels = as_labels(y_true, p.device).reshape(-1, 1)
    reference = p if ref_embeddings is None else as_prediction(ref_embeddings)
    others = labels if ref_labels is None else as_labels(ref_labels, p.device).reshape(-1, 1)
    distance = torch.clamp(1 - p @ reference.T, min=0.0)
    same = labels == others.T
    different = ~same
    if remove_diagonal:
        off_diagonal = ~torch.eye(*same.shape, dtype=torch.bool, device=p.device)
        same = same & off_diagonal
    positive = torch.clamp((margin + distance) * same, min=0.0)
    negative = torch.clamp((1 + margin - distance) * different, min=0.0)
    inf = torch.full((), float("-inf"), dtype=p.dtype, device=p.device)
    pulled = torch.where(same, -gamma * positive * (margin - distance), inf)
    pushed = torch.where(different, gamma * negative * (1 - margin - distance), inf)
    values = F.softplus(torch.logsumexp(pulled, dim=1) + torch.logsumexp(pushed, dim=1))
    return set_mask(values, values > 0)


def ctc(y_true: Any, y_pred: Any) -> Tensor:
    """Connectionist temporal classification: the loss of a label sequence whose place in time is unknown.

    Graves et al., 2006. Label 0 is the blank, and fills shorter sequences at their end.

    Args:
        y_true: integer labels of shape (batch, max_length), with 0 as padding.
        y_pred: logits of shape (batch, time, classes).

    Returns:
        Tensor of shape (batch,).

    Raises:
        InputError: a tensor has another number of axes.
    """
    p = as_prediction(y_pred)
    labels = as_labels(y_true, p.device)
    if labels.ndim != 2 or p.ndim != 3:
        raise InputError(
            f"ctc needs labels (N, L) and logits (N, T, C); received {tuple(labels.shape)} and {tuple(p.shape)}."
        )
    lengths = (labels != 0).sum(dim=-1)
    times = torch.full((p.shape[0],), p.shape[1], dtype=torch.int64, device=p.device)
    log_p = torch.log_softmax(p, dim=-1).transpose(0, 1)
    return F.ctc_loss(log_p, labels, times, lengths, blank=0, reduction="none")


__all__ = ["circle", "ctc", "dice", "tversky"]
