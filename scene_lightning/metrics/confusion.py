"""Counts of true and false positives and negatives, precision, recall, and one share at a given other.

Source: https://keras.io/api/metrics/classification_metrics
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from scene_lightning.errors import InputError
from scene_lightning.metrics.base import Metric
from scene_lightning.metrics.counting import NEG_INF, Counts, Thresholds, count, divide_no_nan, parse_thresholds


class _Counting(Metric):
    """Sums the kinds of `Counts` in `_kinds` over batches, at every threshold."""

    _kinds: tuple[str, ...]
    _states = {"tp": "true_positives", "fp": "false_positives", "tn": "true_negatives", "fn": "false_negatives"}
    _thresholds: Thresholds
    thresholds: Any
    top_k: int | None = None
    class_id: int | None = None
    true_positives: Tensor
    false_positives: Tensor
    true_negatives: Tensor
    false_negatives: Tensor

    def _add_counts(self, *shape: int) -> None:
        for kind in self._kinds:
            self.add_state(self._states[kind], torch.zeros(shape, device=self.device), dist_reduce_fx="sum")

    def _set_thresholds(self, thresholds: Any, default: float) -> None:
        self.init_thresholds = thresholds
        self._thresholds = parse_thresholds(thresholds, default)
        self.thresholds = self._thresholds.values
        self._add_counts(len(self._thresholds))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._take(count(y_true, y_pred, self._thresholds, sample_weight, self.top_k, self.class_id))

    def _take(self, counts: Counts) -> None:
        for kind in self._kinds:
            state = self._states[kind]
            setattr(self, state, getattr(self, state) + getattr(counts, kind))


class _Condition(_Counting):
    """One kind of count."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self._set_thresholds(thresholds, 0.5)

    def result(self) -> Tensor:
        value = getattr(self, self._states[self._kinds[0]])
        return value[0] if len(self._thresholds) == 1 else value

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Condition):
    """Count of positives scored above the threshold, weighted by sample_weight.

    Args:
        thresholds: number in [0, 1], or several for one count each; None means 0.5.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _kinds = ("tp",)


class TrueNegatives(_Condition):
    """Count of negatives scored at or below the threshold, weighted by sample_weight.

    Args:
        thresholds: number in [0, 1], or several for one count each; None means 0.5.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _kinds = ("tn",)


class FalsePositives(_Condition):
    """Count of negatives scored above the threshold, weighted by sample_weight.

    Args:
        thresholds: number in [0, 1], or several for one count each; None means 0.5.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _kinds = ("fp",)


class FalseNegatives(_Condition):
    """Count of positives scored at or below the threshold, weighted by sample_weight.

    Args:
        thresholds: number in [0, 1], or several for one count each; None means 0.5.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.
    """

    _kinds = ("fn",)


class _Share(_Counting):
    """tp ÷ (tp + the other kind): precision and recall."""

    _direction = "up"
    _arguments = ("top_k", "class_id")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.top_k, self.class_id = top_k, class_id
        self._set_thresholds(thresholds, 0.5 if top_k is None else NEG_INF)

    def result(self) -> Tensor:
        other = getattr(self, self._states[self._kinds[1]])
        value = divide_no_nan(self.true_positives, self.true_positives + other)
        return value[0] if len(self._thresholds) == 1 else value

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class Precision(_Share):
    """Share of the predicted positives that are positive: tp/(tp + fp).

    y_true are labels 0 and 1 of y_pred's shape: integer labels of several classes are made one-hot first.

    Args:
        thresholds: number in [0, 1], or several for one value each; None means 0.5, or with top_k no threshold.
        top_k: count only the k highest scores of each sample as positive; None: all above the threshold.
        class_id: look at this column of y_pred alone; None: at all entries together.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.

    Raises:
        InputError: a threshold outside [0, 1].
    """

    _kinds = ("tp", "fp")


class Recall(_Share):
    """Share of the positives that are predicted as such: tp/(tp + fn).

    y_true are labels 0 and 1 of y_pred's shape: integer labels of several classes are made one-hot first.

    Args:
        thresholds: number in [0, 1], or several for one value each; None means 0.5, or with top_k no threshold.
        top_k: count only the k highest scores of each sample as positive; None: all above the threshold.
        class_id: look at this column of y_pred alone; None: at all entries together.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.

    Raises:
        InputError: a threshold outside [0, 1].
    """

    _kinds = ("tp", "fn")


class _BestUnderConstraint(_Counting):
    """The best of one share over thresholds at which another reaches a value."""

    _direction = "up"
    _kinds = ("tp", "fp", "tn", "fn")
    _bounded: ClassVar[str]
    _improved: ClassVar[str]

    def __init__(self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        if num_thresholds <= 0:
            raise InputError(f"num_thresholds is an int > 0; received {num_thresholds}.")
        if not 0 <= value <= 1:
            raise InputError(f"{type(self).__name__} needs {self._arguments[0]} in [0, 1]; received {value}.")
        self.value, self.num_thresholds, self.class_id = value, num_thresholds, class_id
        inner = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        self._thresholds = Thresholds([0.5] if num_thresholds == 1 else [0.0, *inner, 1.0])
        self.thresholds = self._thresholds.values
        self._add_counts(len(self._thresholds))

    def _share(self, name: str) -> Tensor:
        tp, fp, tn, fn = self.true_positives, self.false_positives, self.true_negatives, self.false_negatives
        if name == "specificity":
            return divide_no_nan(tn, tn + fp)
        return divide_no_nan(tp, tp + (fp if name == "precision" else fn))

    def result(self) -> Tensor:
        enough = self._share(self._bounded) >= self.value
        return torch.where(enough, self._share(self._improved), 0.0).max()


class SensitivityAtSpecificity(_BestUnderConstraint):
    """Best sensitivity, tp/(tp + fn), over thresholds at which the specificity, tn/(tn + fp), is high enough.

    Args:
        specificity: the specificity to be reached, in [0, 1].
        num_thresholds: number of thresholds, spread evenly over [0, 1].
        class_id: look at this column of y_pred alone; None: at all entries together.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.

    Raises:
        InputError: an argument out of its range.
    """

    _arguments = ("specificity", "num_thresholds", "class_id")
    _bounded, _improved = "specificity", "sensitivity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = specificity


class SpecificityAtSensitivity(_BestUnderConstraint):
    """Best specificity, tn/(tn + fp), over thresholds at which the sensitivity, tp/(tp + fn), is high enough.

    Args:
        sensitivity: the sensitivity to be reached, in [0, 1].
        num_thresholds: number of thresholds, spread evenly over [0, 1].
        class_id: look at this column of y_pred alone; None: at all entries together.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.

    Raises:
        InputError: an argument out of its range.
    """

    _arguments = ("sensitivity", "num_thresholds", "class_id")
    _bounded, _improved = "sensitivity", "specificity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity


class PrecisionAtRecall(_BestUnderConstraint):
    """Best precision, tp/(tp + fp), over thresholds at which the recall, tp/(tp + fn), is high enough.

    Args:
        recall: the recall to be reached, in [0, 1].
        num_thresholds: number of thresholds, spread evenly over [0, 1].
        class_id: look at this column of y_pred alone; None: at all entries together.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.

    Raises:
        InputError: an argument out of its range.
    """

    _arguments = ("recall", "num_thresholds", "class_id")
    _bounded, _improved = "sensitivity", "precision"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = recall


class RecallAtPrecision(_BestUnderConstraint):
    """Best recall, tp/(tp + fn), over thresholds at which the precision, tp/(tp + fp), is high enough.

    Args:
        precision: the precision to be reached, in [0, 1].
        num_thresholds: number of thresholds, spread evenly over [0, 1].
        class_id: look at this column of y_pred alone; None: at all entries together.
        name: name shown in logs; None means the class name in snake case.
        dtype: accepted as in Keras; sums are kept in float32.

    Raises:
        InputError: an argument out of its range.
    """

    _arguments = ("precision", "num_thresholds", "class_id")
    _bounded, _improved = "precision", "sensitivity"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = precision


__all__ = [
    "FalseNegatives", "FalsePositives", "Precision", "PrecisionAtRecall", "Recall", "RecallAtPrecision",
    "SensitivityAtSpecificity", "SpecificityAtSensitivity", "TrueNegatives", "TruePositives",
]  # fmt: skip
