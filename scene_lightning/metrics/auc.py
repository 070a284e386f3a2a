"""The area under the ROC or precision-recall curve, approximated over thresholds as Keras does.

Source: https://keras.io/api/metrics/classification_metrics/#auc-class
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scene_lightning._settings import epsilon
from scene_lightning.errors import InputError
from scene_lightning.metrics.base import to_tensor
from scene_lightning.metrics.confusion import _Counting
from scene_lightning.metrics.counting import Thresholds, count, divide_no_nan


def _choice(value: Any, allowed: tuple[str, ...], what: str) -> str:
    name = str(getattr(value, "value", value))
    match = next((option for option in allowed if option.lower() == name.lower()), None)
    if match is None:
        raise InputError(f"AUC's {what} is one of {', '.join(allowed)}; received {value!r}.")
    return match


class AUC(_Counting):
    """Area under a curve: the ROC (true positive rate over false positive rate) or precision over recall.

    Scores are counted at `num_thresholds` thresholds between 0 and 1; more of them approximate better. y_true are
    labels 0 and 1, y_pred probabilities of the same shape.

    Args:
        num_thresholds: number of thresholds, above 1, spread evenly over [0, 1].
        curve: 'ROC', 'PR' (precision over recall) or 'PRGAIN' (precision-recall gain).
        summation_method: 'interpolation' (trapezoids; for 'PR' Davis and Goadrich, 2006), 'minoring' or 'majoring'
            (lower or upper bound).
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.
        thresholds: thresholds of your own in [0, 1], in the place of num_thresholds; the ends are added.
        multi_label: whether each column of y_pred (batch, labels) has a curve, whose areas are averaged; else all
            entries count together.
        num_labels: number of columns with multi_label=True; None: known from the first batch.
        label_weights: weight of each column: in the average with multi_label=True, else of its entries.
        from_logits: whether y_pred are logits, which go through a sigmoid first.

    Raises:
        InputError: an unknown curve or summation_method, too few thresholds or one outside [0, 1].
    """

    _direction = "up"
    _kinds = ("tp", "fp", "tn", "fn")

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | dict[str, Any] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.curve = _choice(curve, ("ROC", "PR", "PRGAIN"), "curve")
        self.summation_method = _choice(summation_method, ("interpolation", "minoring", "majoring"), "summation_method")
        if thresholds is None and num_thresholds <= 1:
            raise InputError(f"AUC needs num_thresholds > 1; received {num_thresholds}.")
        if num_labels and not multi_label:
            raise InputError("AUC takes num_labels only with multi_label=True.")
        self._given = None if thresholds is None else sorted(float(t) for t in thresholds)
        if self._given is not None and not all(0 <= t <= 1 for t in self._given):
            raise InputError(f"Thresholds lie in [0, 1]; received {self._given}.")
        inner = (
            [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)] if self._given is None else self._given
        )
        self._thresholds = Thresholds([0.0 - epsilon(), *inner, 1.0 + epsilon()])
        self.num_thresholds = len(self._thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        if isinstance(label_weights, dict):  # Keras writes a tensor into its config as {"class_name": "__tensor__", …}
            label_weights = label_weights["config"]["value"]
        self.label_weights = None if label_weights is None else torch.as_tensor(label_weights, dtype=torch.float32)
        self.from_logits = from_logits
        if not multi_label or num_labels:
            self._add_counts(self.num_thresholds, *([num_labels] if num_labels else []))

    @property
    def thresholds(self) -> list[float]:  # type: ignore[override]
        """All thresholds, the ends included."""
        return self._thresholds.values

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in one batch.

        Args:
            y_true: labels 0 and 1, of y_pred's shape.
            y_pred: probabilities of shape (batch, ...), or logits with from_logits=True.
            sample_weight: weight of each sample, of shape (batch,) or y_pred's.
        """
        pred = to_tensor(y_pred, dtype=torch.float32)
        if self.multi_label and pred.ndim != 2:
            raise InputError(f"AUC(multi_label=True) needs y_pred (N, labels); received {tuple(pred.shape)}.")
        if not self._defaults:
            self._add_counts(self.num_thresholds, pred.shape[1])
        pred = torch.sigmoid(pred) if self.from_logits else pred
        weights = None if self.multi_label else self.label_weights
        self._take(
            count(
                y_true, pred, self._thresholds, sample_weight, multi_label=self.multi_label, label_weights=weights
            )
        )  # fmt: skip

    def result(self) -> Tensor:
        if not self._defaults:
            return torch.zeros(())
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._over_labels(self._interpolated_pr())
        x, y = self._axes()
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        elif self.summation_method == "minoring":
            heights = torch.minimum(y[:-1], y[1:])
        else:
            heights = torch.maximum(y[:-1], y[1:])
        return self._over_labels((x[:-1] - x[1:]) * heights)

    def _axes(self) -> tuple[Tensor, Tensor]:
        tp, fp, tn, fn = self.true_positives, self.false_positives, self.true_negatives, self.false_negatives
        recall = divide_no_nan(tp, tp + fn)
        if self.curve == "ROC":
            return divide_no_nan(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, divide_no_nan(tp, tp + fp)
        scale = divide_no_nan(tp + fn, tn + fp)
        recall_gain = torch.where(tp == 0, 0.0, 1.0 - scale * divide_no_nan(fn, tp))
        precision_gain = torch.where(tp == 0, 1.0, 1.0 - scale * divide_no_nan(fp, tp))
        return torch.clamp(recall_gain, min=0.0), precision_gain

    def _interpolated_pr(self) -> Tensor:
        """Davis and Goadrich, 2006: between two thresholds the positives are interpolated, not the precision."""
        tp, p = self.true_positives, self.true_positives + self.false_positives
        d_tp = tp[:-1] - tp[1:]
        slope = divide_no_nan(d_tp, torch.clamp(p[:-1] - p[1:], min=0))
        intercept = tp[1:] - slope * p[1:]
        both = (p[:-1] > 0) & (p[1:] > 0)
        ratio = torch.where(both, divide_no_nan(p[:-1], torch.clamp(p[1:], min=0)), 1.0)
        total = torch.clamp(tp[1:] + self.false_negatives[1:], min=0)
        return divide_no_nan(slope * (d_tp + intercept * torch.log(ratio)), total)

    def _over_labels(self, terms: Tensor) -> Tensor:
        area = terms.sum(dim=0)
        if not self.multi_label:
            return area
        if self.label_weights is None:
            return area.mean()
        weights = self.label_weights.to(area.device)
        return divide_no_nan((area * weights).sum(), weights.sum())

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
        }
        if self.from_logits:
            config["from_logits"] = True
        return config if self._given is None else {**config, "thresholds": self._given}
