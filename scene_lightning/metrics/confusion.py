"""Labels and scores in; counts, precision, recall and their trade-offs out.

Source: https://keras.io/api/metrics/classification_metrics
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning.errors import InputError
from scene_lightning.metrics.base import Metric
from scene_lightning.metrics.counting import NEG_INF, Counts, Thresholds, count, divide_no_nan, parse_thresholds


class _Counting(Metric):
    """Sums the kinds of `Counts` in `_kinds` over batches, at every threshold."""

    _kinds: tuple[str, ...]
    _states = {"tp": "true_positives", "fp": "false_positives", "tn": "true_negatives", "fn": "false_negatives"}
    thresholds: Any
    true_positives: Tensor
    false_positives: Tensor
    true_negatives: Tensor
    false_negatives: Tensor

    def _add_counts(self, *shape: int) -> None:
        for kind in self._kinds:
            self.add_state(self._states[kind], torch.zeros(shape, device=self.device), dist_reduce_fx="sum")

    def _take(self, counts: Counts) -> None:
        for kind in self._kinds:
            state = self._states[kind]
            setattr(self, state, getattr(self, state) + getattr(counts, kind))


class _Condition(_Counting):
    """One kind of count."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self._thresholds = parse_thresholds(thresholds, 0.5)
        self.thresholds = self._thresholds.values
        self._add_counts(len(self._thresholds))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._take(count(y_true, y_pred, self._thresholds, sample_weight))

    def result(self) -> Tensor:
        value = getattr(self, self._states[self._kinds[0]])
        return value[0] if len(self._thresholds) == 1 else value

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Condition):
    """Σ weights of positives scored above the threshold."""

    _kinds = ("tp",)


class TrueNegatives(_Condition):
    """Σ weights of negatives scored at or below the threshold."""

    _kinds = ("tn",)


class FalsePositives(_Condition):
    """Σ weights of negatives scored above the threshold."""

    _kinds = ("fp",)


class FalseNegatives(_Condition):
    """Σ weights of positives scored at or below the threshold."""

    _kinds = ("fn",)


class _Share(_Counting):
    """tp ÷ (tp + the other kind): precision and recall."""

    _direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self._thresholds = parse_thresholds(thresholds, 0.5 if top_k is None else NEG_INF)
        self.thresholds = self._thresholds.values
        self._add_counts(len(self._thresholds))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._take(count(y_true, y_pred, self._thresholds, sample_weight, self.top_k, self.class_id))

    def result(self) -> Tensor:
        other = getattr(self, self._states[self._kinds[1]])
        value = divide_no_nan(self.true_positives, self.true_positives + other)
        return value[0] if len(self._thresholds) == 1 else value

    def get_config(self) -> dict[str, Any]:
        options = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **options}


class Precision(_Share):
    """tp/(tp + fp), over all entries of y_pred, or its `top_k`, or class `class_id`."""

    _kinds = ("tp", "fp")


class Recall(_Share):
    """tp/(tp + fn), over all entries of y_pred, or its `top_k`, or class `class_id`."""

    _kinds = ("tp", "fn")


class _BestUnderConstraint(_Counting):
    """The best of one share over thresholds at which another reaches a value."""

    _direction = "up"
    _kinds = ("tp", "fp", "tn", "fn")
    _bound: str

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if num_thresholds <= 0:
            raise InputError(f"num_thresholds is an int > 0; received {num_thresholds}.")
        if not 0 <= value <= 1:
            raise InputError(f"{type(self).__name__} needs {self._bound} in [0, 1]; received {value}.")
        self.value = value
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        inner = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        self._thresholds = Thresholds([0.5] if num_thresholds == 1 else [0.0, *inner, 1.0])
        self.thresholds = self._thresholds.values
        self._add_counts(len(self._thresholds))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._take(count(y_true, y_pred, self._thresholds, sample_weight, class_id=self.class_id))

    def _share(self, name: str) -> Tensor:
        tp, fp, tn, fn = self.true_positives, self.false_positives, self.true_negatives, self.false_negatives
        if name == "specificity":
            return divide_no_nan(tn, tn + fp)
        return divide_no_nan(tp, tp + (fp if name == "precision" else fn))

    def _best(self, constrained: str, dependent: str) -> Tensor:
        feasible = self._share(constrained) >= self.value
        return torch.where(feasible, self._share(dependent), 0.0).max()

    def get_config(self) -> dict[str, Any]:
        options = {self._bound: self.value, "num_thresholds": self.num_thresholds, "class_id": self.class_id}
        return {**super().get_config(), **options}


class SensitivityAtSpecificity(_BestUnderConstraint):
    """The best tp/(tp + fn) where tn/(tn + fp) ≥ `specificity`."""

    _bound = "specificity"

    def __init__(self, specificity: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(specificity, *args, **kwargs)
        self.specificity = specificity

    def result(self) -> Tensor:
        return self._best("specificity", "sensitivity")


class SpecificityAtSensitivity(_BestUnderConstraint):
    """The best tn/(tn + fp) where tp/(tp + fn) ≥ `sensitivity`."""

    _bound = "sensitivity"

    def __init__(self, sensitivity: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(sensitivity, *args, **kwargs)
        self.sensitivity = sensitivity

    def result(self) -> Tensor:
        return self._best("sensitivity", "specificity")


class PrecisionAtRecall(_BestUnderConstraint):
    """The best tp/(tp + fp) where tp/(tp + fn) ≥ `recall`."""

    _bound = "recall"

    def __init__(self, recall: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(recall, *args, **kwargs)
        self.recall = recall

    def result(self) -> Tensor:
        return self._best("sensitivity", "precision")


class RecallAtPrecision(_BestUnderConstraint):
    """The best tp/(tp + fn) where tp/(tp + fp) ≥ `precision`."""

    _bound = "precision"

    def __init__(self, precision: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(precision, *args, **kwargs)
        self.precision = precision

    def result(self) -> Tensor:
        return self._best("precision", "sensitivity")
