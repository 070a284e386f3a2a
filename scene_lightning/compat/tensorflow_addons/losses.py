"""`tfa.losses`: focal loss, and losses of embeddings. y_true are class numbers (N,), y_pred embeddings (N, size)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning._registry import register_in_package
from scene_lightning.losses import binary_crossentropy
from scene_lightning.losses.base import DeclaredLoss


def sigmoid_focal_crossentropy(
    y_true: Any, y_pred: Any, alpha: float | None = 0.25, gamma: float = 2.0, from_logits: bool = False
) -> Tensor:
    """Gives alpha·(1−p_t)^gamma · binary cross-entropy, summed over the last axis. Lin et al., 2018.

    Args:
        y_true: 0 or 1, (batch, classes).
        y_pred: probabilities, or logits, (batch, classes).
        alpha: weight of the ones; the zeros have 1 − alpha; None or 0 for no weights.
        gamma: how much less certain predictions count.
        from_logits: whether `y_pred` are logits.
    """
    predicted = torch.as_tensor(y_pred)
    target = torch.as_tensor(y_true).to(predicted)
    each = binary_crossentropy(target.unsqueeze(-1), predicted.unsqueeze(-1), from_logits=from_logits)
    p = torch.sigmoid(predicted) if from_logits else predicted
    p_t = target * p + (1 - target) * (1 - p)
    balance = 1.0 if not alpha else target * alpha + (1 - target) * (1 - alpha)
    return (balance * (1 - p_t) ** gamma * each).sum(-1)


@register_in_package("Addons")
class SigmoidFocalCrossEntropy(DeclaredLoss):
    """`sigmoid_focal_crossentropy`; per sample unless `reduction` says otherwise, as in Addons.

    Args:
        from_logits: whether predictions are logits.
        alpha: weight of the ones; the zeros have 1 − alpha.
        gamma: how much less certain predictions count.
        reduction: Keras' name of it.
        name: what logs call it.
    """

    _fn = staticmethod(sigmoid_focal_crossentropy)

    def __init__(
        self, from_logits: bool = False, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "none",
        name: str = "sigmoid_focal_crossentropy",
    ) -> None:  # fmt: skip
        super().__init__(reduction, name, None, from_logits=from_logits, alpha=alpha, gamma=gamma)


def contrastive_loss(y_true: Any, y_pred: Any, margin: float = 1.0) -> Tensor:
    """Gives y·d² + (1−y)·max(margin−d, 0)², for distances d of pairs.

    Args:
        y_true: 1 for pairs of one class, otherwise 0, (batch,).
        y_pred: the distances, (batch,).
        margin: the distance beyond which other pairs cost nothing.
    """
    distance = torch.as_tensor(y_pred)
    same = torch.as_tensor(y_true).to(distance)
    return same * distance**2 + (1 - same) * (margin - distance).clamp(min=0) ** 2


@register_in_package("Addons")
class ContrastiveLoss(DeclaredLoss):
    """`contrastive_loss`. Hadsell et al., 2006.

    Args:
        margin: the distance beyond which pairs of two classes cost nothing.
        reduction: Keras' name of it.
        name: what logs call it.
    """

    _fn = staticmethod(contrastive_loss)

    def __init__(
        self, margin: float = 1.0, reduction: str = "sum_over_batch_size", name: str = "contrastive_loss"
    ) -> None:
        super().__init__(reduction, name, None, margin=margin)


def _distances(embeddings: Tensor, squared: bool) -> Tensor:
    squares = (embeddings.unsqueeze(0) - embeddings.unsqueeze(1)).pow(2).sum(-1)
    if squared:
        return squares
    zero = squares <= 0
    return (squares + zero * 1e-16).sqrt() * ~zero


def triplet_semihard_loss(y_true: Any, y_pred: Any, margin: float = 1.0, distance_metric: str = "L2") -> Tensor:
    """Gives the mean of margin + d(a, p) − d(a, n), where n is the nearest other that is farther than p.

    Args:
        y_true: class numbers, (batch,).
        y_pred: embeddings, (batch, size).
        margin: by how much others should be farther.
        distance_metric: "L2" or "squared-L2".
    """
    embeddings = torch.as_tensor(y_pred).float()
    labels = torch.as_tensor(y_true).reshape(-1).to(embeddings.device)
    distances = _distances(embeddings, distance_metric == "squared-L2")
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    other = (~same).unsqueeze(1)  # anchor, 1, negative
    farther = other & (distances.unsqueeze(1) > distances.unsqueeze(2))  # anchor, positive, negative
    highest = distances.max().detach() + 1
    nearest = torch.where(farther, distances.unsqueeze(1), highest).amin(-1)
    farthest = torch.where(other, distances.unsqueeze(1), -1.0).amax(-1)
    negative = torch.where(farther.any(-1), nearest, farthest)
    positives = same.float() - torch.eye(len(labels), device=embeddings.device)
    losses = (margin + distances - negative) * positives
    return losses.clamp(min=0).sum() / positives.sum()


@register_in_package("Addons")
class TripletSemiHardLoss(DeclaredLoss):
    """`triplet_semihard_loss` over a batch. Schroff et al., 2015.

    Args:
        margin: by how much others should be farther.
        distance_metric: "L2" or "squared-L2".
        name: what logs call it.
        **_: for Addons' sake, without effect.
    """

    _fn = staticmethod(triplet_semihard_loss)

    def __init__(self, margin: float = 1.0, distance_metric: str = "L2", name: str | None = None, **_: Any) -> None:
        super().__init__("mean", name or "triplet_semihard_loss", None, margin=margin, distance_metric=distance_metric)


def npairs_loss(y_true: Any, y_pred: Any) -> Tensor:
    """Gives the cross-entropy of each row of similarities against the share of its class's columns.

    Args:
        y_true: class numbers, (batch,).
        y_pred: similarities, (batch, batch).
    """
    similarities = torch.as_tensor(y_pred)
    labels = torch.as_tensor(y_true).reshape(-1).to(similarities.device)
    same = (labels.unsqueeze(0) == labels.unsqueeze(1)).to(similarities.dtype)
    return -(same / same.sum(1, keepdim=True) * torch.log_softmax(similarities, -1)).sum(-1).mean()


@register_in_package("Addons")
class NpairsLoss(DeclaredLoss):
    """`npairs_loss` over a batch. Sohn, 2016.

    Args:
        name: what logs call it.
        **_: for Addons' sake, without effect.
    """

    _fn = staticmethod(npairs_loss)

    def __init__(self, name: str = "npairs_loss", **_: Any) -> None:
        super().__init__("mean", name, None)
