"""Options in; the loss objects of maximum-margin minimum classification error out. Not Keras'; source: see `m3ce`."""

from __future__ import annotations

from typing import Any

from scene_lightning._objectives.margin import check_m3ce, m3ce, m3ce_crossentropy
from scene_lightning.losses.base import LossFunctionWrapper


class M3CE(LossFunctionWrapper):
    """Maximum-margin minimum classification error: by how much the true class misses its lead of `margin`.

    After Xin and Wang, 2019, reconstructed: `losses.m3ce` says from what, gives the formula and explains the arguments.
    The article proposes it as a supplement of cross-entropy: `M3CECrossentropy`.

    Raises:
        InputError: an argument out of its range.
    """

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
        super().__init__(
            m3ce,
            reduction=reduction,
            name=name,
            dtype=dtype,
            margin=margin,
            eta=eta,
            slope=slope,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )
        self.margin, self.eta, self.slope = margin, eta, slope
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


class M3CECrossentropy(LossFunctionWrapper):
    """M³CE-CEc: categorical cross-entropy plus `weight` times `M3CE`. After Xin and Wang, 2019; see `losses.m3ce`.

    Raises:
        InputError: an argument out of its range.
    """

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
        super().__init__(
            m3ce_crossentropy,
            reduction=reduction,
            name=name,
            dtype=dtype,
            weight=weight,
            margin=margin,
            eta=eta,
            slope=slope,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )
        self.weight, self.margin, self.eta, self.slope = weight, margin, eta, slope
        self.from_logits, self.label_smoothing = from_logits, label_smoothing
