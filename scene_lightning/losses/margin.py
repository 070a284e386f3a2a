"""Loss classes of maximum-margin minimum classification error. Not Keras'; for the source see `m3ce`."""

from __future__ import annotations

from typing import Any

from scene_lightning._objectives.margin import check_m3ce, m3ce, m3ce_crossentropy
from scene_lightning.losses.base import DeclaredLoss


class M3CE(DeclaredLoss):
    """Maximum-margin minimum classification error: by how much the true class misses its lead of `margin`.

    After Xin and Wang, 2019, reconstructed: `losses.m3ce` gives the formula. The article proposes it as a supplement of
    cross-entropy: `M3CECrossentropy`. y_true (one-hot) and y_pred have the shape (batch, classes).

    Args:
        margin: by how much the true class has to lead, from 0 (an error is what counts) to 1 (never satisfied).
        eta: None compares with the strongest other class; a number above 0 with a power mean of all the others.
        slope: None for the hinge; a number above 0 for a smooth count of errors, steeper with a larger number.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: share of each label, in [0, 1], that is spread evenly over all classes.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.

    Raises:
        InputError: an argument out of its range.
    """

    _fn = staticmethod(m3ce)

    def __init__(
        self,
        margin: float = 0.5,
        eta: float | None = None,
        slope: float | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "m3ce",
        dtype: Any = None,
    ) -> None:
        check_m3ce(margin, eta, slope)
        self.margin, self.eta, self.slope = margin, eta, slope
        self.from_logits, self.label_smoothing = from_logits, label_smoothing
        super().__init__(reduction, name, dtype)


class M3CECrossentropy(DeclaredLoss):
    """M³CE-CEc: categorical cross-entropy plus `weight` times `M3CE`. After Xin and Wang, 2019; see `losses.m3ce`.

    Args:
        weight: factor of the margin's part, 0 or more; with 0 this is categorical cross-entropy.
        margin: by how much the true class has to lead, from 0 (an error is what counts) to 1 (never satisfied).
        eta: None compares with the strongest other class; a number above 0 with a power mean of all the others.
        slope: None for the hinge; a number above 0 for a smooth count of errors, steeper with a larger number.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: share of each label, in [0, 1], that is spread evenly over all classes.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.

    Raises:
        InputError: an argument out of its range.
    """

    _fn = staticmethod(m3ce_crossentropy)

    def __init__(
        self,
        weight: float = 1.0,
        margin: float = 0.5,
        eta: float | None = None,
        slope: float | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "m3ce_crossentropy",
        dtype: Any = None,
    ) -> None:
        check_m3ce(margin, eta, slope, weight)
        self.weight, self.margin, self.eta, self.slope = weight, margin, eta, slope
        self.from_logits, self.label_smoothing = from_logits, label_smoothing
        super().__init__(reduction, name, dtype)


__all__ = ["M3CE", "M3CECrossentropy"]
