"""Intersection over union of class maps.

Source: https://keras.io/api/metrics/segmentation_metrics
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from scene_lightning._settings import epsilon
from scene_lightning.errors import InputError
from scene_lightning.metrics.base import Metric, to_tensor


class IoU(Metric):
    """Intersection over union of chosen classes, averaged: tp/(tp + fp + fn), from one confusion matrix.

    For segmentation: y_true and y_pred are class maps such as (batch, height, width).

    Args:
        num_classes: number of classes, the size of the confusion matrix.
        target_class_ids: the classes whose IoU is averaged.
        name: name shown in logs; None means the class name in snake case.
        dtype: the confusion matrix' dtype, to which weights are cast: int64 for None, as in Keras, or 'float32'.
        ignore_class: a label whose pixels are not counted; None: all are.
        sparse_y_true: whether y_true are class numbers; else one-hot along `axis`.
        sparse_y_pred: whether y_pred are class numbers; else scores along `axis`, of which the highest counts.
        axis: axis of the classes where maps are not sparse.

    Raises:
        InputError: a target class outside the classes.
    """

    _direction = "up"
    _arguments: ClassVar[tuple[str, ...]] = (
        "num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis",
    )  # fmt: skip
    total_cm: Tensor

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if max(target_class_ids) >= num_classes:
            raise InputError(f"Target class {max(target_class_ids)} is outside 0…{num_classes - 1}.")
        self.num_classes, self.target_class_ids = num_classes, [int(i) for i in target_class_ids]
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self._kind = torch.float32 if "float" in str(dtype) else torch.int64
        self.add_state("total_cm", torch.zeros(num_classes, num_classes, dtype=self._kind), dist_reduce_fx="sum")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        pred = to_tensor(y_pred)
        true = to_tensor(y_true, like=pred)
        true = true.int() if true.dtype == torch.bool else true
        true = (true if self.sparse_y_true else true.argmax(dim=self.axis)).reshape(-1).long()
        pred = (pred if self.sparse_y_pred else pred.argmax(dim=self.axis)).reshape(-1).long()
        weight = torch.ones_like(true, dtype=self._kind)
        if sample_weight is not None:
            given = to_tensor(sample_weight, like=true)
            if given.is_floating_point() and self._kind is torch.int64:
                warnings.warn("IoU casts float weights to int; give dtype='float32' to keep them.", stacklevel=3)
            given = given.reshape(-1) if given.ndim > 1 else given
            weight = given.to(self._kind).broadcast_to(true.shape)
        counted = (true >= 0) & (true < self.num_classes) & (pred >= 0) & (pred < self.num_classes)
        if self.ignore_class is not None:
            counted = counted & (true != self.ignore_class)
        cell = torch.where(counted, true * self.num_classes + pred, 0)
        weight = torch.where(counted, weight, torch.zeros_like(weight))
        matrix = torch.zeros(self.num_classes**2, dtype=self._kind, device=true.device).index_add_(0, cell, weight)
        self.total_cm = self.total_cm + matrix.view(self.num_classes, self.num_classes)

    def result(self) -> Tensor:
        matrix = self.total_cm.float()
        hits = matrix.diagonal()
        union = matrix.sum(dim=0) + matrix.sum(dim=1) - hits
        hits, union = hits[self.target_class_ids], union[self.target_class_ids]
        valid = union > 1e-9
        return torch.where(valid, hits / (union + epsilon()), 0.0).sum() / (valid.sum() + epsilon())


class BinaryIoU(IoU):
    """Intersection over union of two classes: scores below `threshold` are class 0, from it on class 1.

    Args:
        target_class_ids: the classes whose IoU is averaged, of 0 and 1.
        threshold: the score from which on a pixel is class 1.
        name: name shown in logs; None means the class name in snake case.
        dtype: the confusion matrix' dtype, to which weights are cast: int64 for None, as in Keras, or 'float32'.
    """

    _arguments = ("target_class_ids", "threshold")

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        pred = y_pred if isinstance(y_pred, Tensor) else np.asarray(y_pred, dtype=np.float32)
        super().update_state(y_true, to_tensor(pred) >= self.threshold, sample_weight)


class MeanIoU(IoU):
    """Intersection over union averaged over all classes.

    Args:
        num_classes: number of classes, the size of the confusion matrix.
        name: name shown in logs; None means the class name in snake case.
        dtype: the confusion matrix' dtype, to which weights are cast: int64 for None, as in Keras, or 'float32'.
        ignore_class: a label whose pixels are not counted; None: all are.
        sparse_y_true: whether y_true are class numbers; else one-hot along `axis`.
        sparse_y_pred: whether y_pred are class numbers; else scores along `axis`, of which the highest counts.
        axis: axis of the classes where maps are not sparse.
    """

    _arguments = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        classes = range(num_classes)
        super().__init__(num_classes, classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(IoU):
    """Intersection over union of chosen classes, averaged, with one-hot y_true.

    Args:
        num_classes: number of classes, the size of the confusion matrix.
        target_class_ids: the classes whose IoU is averaged.
        name: name shown in logs; None means the class name in snake case.
        dtype: the confusion matrix' dtype, to which weights are cast: int64 for None, as in Keras, or 'float32'.
        ignore_class: a label whose pixels are not counted; None: all are.
        sparse_y_pred: whether y_pred are class numbers; else scores along `axis`, of which the highest counts.
        axis: axis of the classes.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(OneHotIoU):
    """Intersection over union averaged over all classes, with one-hot y_true.

    Args:
        num_classes: number of classes, the size of the confusion matrix.
        name: name shown in logs; None means the class name in snake case.
        dtype: the confusion matrix' dtype, to which weights are cast: int64 for None, as in Keras, or 'float32'.
        ignore_class: a label whose pixels are not counted; None: all are.
        sparse_y_pred: whether y_pred are class numbers; else scores along `axis`, of which the highest counts.
        axis: axis of the classes.
    """

    _arguments = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_pred, axis)


__all__ = ["BinaryIoU", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"]
