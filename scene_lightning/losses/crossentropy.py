"""Loss classes of the cross-entropies, for one label or several."""

from __future__ import annotations

from typing import Any

from scene_lightning import _objectives as fn
from scene_lightning.errors import InputError
from scene_lightning.losses.base import DeclaredLoss


class BinaryCrossentropy(DeclaredLoss):
    """Cross-entropy of 0/1 labels with probabilities: −t·log p − (1−t)·log(1−p), averaged over `axis`.

    For two classes with one output, or for several labels that may be true together. y_true and y_pred have one shape,
    (batch, ..., outputs).

    Args:
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: in [0, 1], how far labels move from 0 and 1 towards 0.5.
        axis: axis whose values are averaged.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.binary_crossentropy)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis
        super().__init__(reduction, name, dtype)


class BinaryFocalCrossentropy(DeclaredLoss):
    """Binary cross-entropy that counts easy samples less: (1−p_t)^gamma · cross-entropy.

    p_t is the probability of the true label. Lin et al., "Focal Loss for Dense Object Detection", 2018,
    arXiv:1708.02002.

    Args:
        apply_class_balancing: whether label 1 weighs alpha and label 0 weighs 1 − alpha.
        alpha: weight of label 1, in [0, 1].
        gamma: how strongly easy samples are turned down; 0 gives plain cross-entropy.
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: in [0, 1], how far labels move from 0 and 1 towards 0.5.
        axis: axis whose values are averaged.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.
    """

    _fn = staticmethod(fn.binary_focal_crossentropy)

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        self.apply_class_balancing, self.alpha, self.gamma = apply_class_balancing, alpha, gamma
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis
        super().__init__(reduction, name, dtype)


class CategoricalCrossentropy(DeclaredLoss):
    """Cross-entropy of one-hot labels with class probabilities: −Σ t·log p over the classes.

    y_true and y_pred have the shape (batch, ..., classes). For integer labels use `SparseCategoricalCrossentropy`.

    Args:
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        label_smoothing: share of each label, in [0, 1], that is spread evenly over all classes.
        axis: axis of the classes.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.

    Raises:
        InputError: when called, and the shapes differ.
    """

    _fn = staticmethod(fn.categorical_crossentropy)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis
        super().__init__(reduction, name, dtype)


class CategoricalFocalCrossentropy(DeclaredLoss):
    """Categorical cross-entropy that counts easy samples less: −Σ alpha·(1−p)^gamma·t·log p over the classes.

    y_true (one-hot) and y_pred have the shape (batch, ..., classes). Lin et al., "Focal Loss for Dense Object
    Detection", 2018, arXiv:1708.02002.

    Args:
        alpha: weight of the classes: one number, or one for each class.
        gamma: how strongly easy samples are turned down; 0 gives alpha · cross-entropy.
        from_logits: whether y_pred are logits.
        label_smoothing: share of each label, in [0, 1], that is spread evenly over all classes.
        axis: axis of the classes.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.

    Raises:
        InputError: when called, and the shapes differ.
    """

    _fn = staticmethod(fn.categorical_focal_crossentropy)

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        self.alpha, self.gamma = alpha, gamma
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis
        super().__init__(reduction, name, dtype)


class SparseCategoricalCrossentropy(DeclaredLoss):
    """Cross-entropy of integer labels with class probabilities: −log p of the labelled class.

    y_true has the shape (batch, ...) or (batch, ..., 1), y_pred (batch, ..., classes). For one-hot labels use
    `CategoricalCrossentropy`.

    Args:
        from_logits: whether y_pred are logits; those that a softmax or sigmoid left on y_pred are used in any case.
        ignore_class: a label whose samples give 0 and are not counted in the mean (None: none).
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        axis: axis of the classes.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.

    Raises:
        InputError: when called, and the labels' shape does not fit or (on the CPU) a label is out of range.
    """

    _fn = staticmethod(fn.sparse_categorical_crossentropy)

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis
        super().__init__(reduction, name, dtype)


class CategoricalGeneralizedCrossEntropy(DeclaredLoss):
    """Cross-entropy of integer labels that withstands wrong ones: (1 − p^q)/q for the labelled class.

    q → 0 gives cross-entropy, q = 1 the mean absolute error. Zhang and Sabuncu, 2018, arXiv:1805.07836.

    Args:
        q: between 0 and 1; the larger, the less wrong labels weigh.
        reduction: 'sum_over_batch_size' (the mean), 'sum', 'mean_with_sample_weight' or 'none'; see `Loss`.
        name: name of the loss in logs.
        dtype: accepted as in Keras; the loss is computed in float32, or in float64 for float64 predictions.

    Raises:
        InputError: q is not between 0 and 1.
    """

    _fn = staticmethod(fn.categorical_generalized_cross_entropy)

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise InputError(f"CategoricalGeneralizedCrossEntropy needs 0 < q < 1; received {q}.")
        self.q = q
        super().__init__(reduction, name, dtype)


__all__ = [
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy", "SparseCategoricalCrossentropy",
]  # fmt: skip
