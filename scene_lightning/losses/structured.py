"""Loss classes that compare whole structures: masks, embeddings and sequences."""

from __future__ import annotations

from typing import Any

from scene_lightning import _objectives as fn
from scene_lightning.losses.base import DeclaredLoss, LossWithoutOptions


class Dice(DeclaredLoss):
    """Dice loss of masks: 1 − 2|t∩p|/(|t| + |p| + ε), 0 where they overlap fully.

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        axis: axes over which the overlap is summed; None: all of them, the batch too.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.dice)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        self.axis = axis
        super().__init__(reduction, name, dtype)


class Tversky(DeclaredLoss):
    """Tversky loss of masks: 1 − |t∩p|/(|t∩p| + alpha·|t∖p| + beta·|p∖t| + ε).

    alpha = beta = 0.5 is the Dice loss. Salehi et al., 2017, arXiv:1706.05721; the two weights are used as Keras uses
    them.

    Args:
        alpha: weight of what was missed (false negatives).
        beta: weight of what was invented (false positives).
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        axis: axes over which the overlap is summed; None: all of them, the batch too.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.tversky)

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        self.alpha, self.beta, self.axis = alpha, beta, axis
        super().__init__(reduction, name, dtype)


class Circle(DeclaredLoss):
    """Circle loss of embeddings: those of one class are drawn together, those of others pushed apart.

    y_true are integer labels of shape (batch,), y_pred L2-normalised embeddings of shape (batch, features). Sun et al.,
    2020, arXiv:2002.10857.

    Args:
        gamma: scale of the similarities; the larger, the more the hardest pairs count.
        margin: how far apart the similarities within and between classes have to be, in [0, 1].
        remove_diagonal: whether an embedding is left out of the comparison with itself.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.circle)

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ) -> None:
        self.gamma, self.margin, self.remove_diagonal = gamma, margin, remove_diagonal
        super().__init__(reduction, name, dtype)


class CTC(LossWithoutOptions):
    """Connectionist temporal classification: the loss of a label sequence whose place in time is unknown.

    y_true are integer labels of shape (batch, max_length) with 0 as blank and padding, y_pred logits of shape (batch,
    time, classes). Graves et al., 2006.

    Args:
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs; None means 'ctc'.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.ctc)


__all__ = ["CTC", "Circle", "Dice", "Tversky"]
