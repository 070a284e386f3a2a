"""Class maps in; intersection over union out. Source: https://keras.io/api/metrics/segmentation_metrics"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning._settings import epsilon
from scene_lightning.errors import InputError
from scene_lightning.metrics.base import Metric, to_tensor


class IoU(Metric):
    """Mean over `target_class_ids` of tp/(tp + fp + fn), from one confusion matrix.

    Args:
        ignore_class: a label not to be counted. sparse_y_true, sparse_y_pred: integer maps; else one-hot along `axis`.
        dtype: the matrix' type; weights are cast to it (int by default, as in Keras).
    """

    _direction = "up"
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
        self.num_classes = num_classes
        self.target_class_ids = [int(i) for i in target_class_ids]
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
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

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }

    def _config_without(self, *keys: str) -> dict[str, Any]:
        return {key: value for key, value in IoU.get_config(self).items() if key not in keys}


class BinaryIoU(IoU):
    """IoU of scores cut at `threshold`, class 0 below and 1 from it on."""

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

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "target_class_ids": self.target_class_ids, "threshold": self.threshold}


class MeanIoU(IoU):
    """IoU averaged over all classes."""

    def __init__(self, num_classes: int, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(num_classes, range(num_classes), name=name, dtype=dtype, **options)

    def get_config(self) -> dict[str, Any]:
        return self._config_without("target_class_ids")


class OneHotIoU(IoU):
    """IoU of one-hot maps."""

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

    def get_config(self) -> dict[str, Any]:
        return self._config_without("sparse_y_true")


class OneHotMeanIoU(OneHotIoU):
    """OneHotIoU averaged over all classes."""

    def __init__(self, num_classes: int, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(num_classes, range(num_classes), name=name, dtype=dtype, **options)

    def get_config(self) -> dict[str, Any]:
        return self._config_without("sparse_y_true", "target_class_ids")
