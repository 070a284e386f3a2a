"""`tfa.metrics`: F-scores with Addons' arguments, and Cohen's kappa."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from scene_lightning import metrics
from scene_lightning._registry import register_in_package
from scene_lightning.metrics import Metric


@register_in_package("Addons")
class FBetaScore(metrics.FBetaScore):
    """Computes Keras' FBetaScore; the classes are known from the predictions.

    Args:
        num_classes: kept for the config only.
        average: None (a score for each class), "micro", "macro" or "weighted".
        beta: weight of recall against precision.
        threshold: probability from which a class counts; None for the most likely one.
        name: what logs call it.
        dtype: of the counts.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("num_classes", "average", "beta", "threshold")

    def __init__(
        self, num_classes: int | None = None, average: str | None = None, beta: float = 1.0,
        threshold: float | None = None, name: str = "fbeta_score", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(average, beta, threshold, name, dtype)
        self.num_classes = num_classes


@register_in_package("Addons")
class F1Score(FBetaScore):
    """Computes an FBetaScore with β = 1.

    Args:
        num_classes: kept for the config only.
        average: None (a score for each class), "micro", "macro" or "weighted".
        threshold: probability from which a class counts; None for the most likely one.
        name: what logs call it.
        dtype: of the counts.
    """

    _arguments = ("num_classes", "average", "threshold")

    def __init__(
        self, num_classes: int | None = None, average: str | None = None, threshold: float | None = None,
        name: str = "f1_score", dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_classes, average, 1.0, threshold, name, dtype)


@register_in_package("Addons")
class CohenKappa(Metric):
    """Agreement of two raters beyond chance: 1 − Σ w·observed / Σ w·expected.

    Args:
        num_classes: how many.
        weightage: None (every disagreement alike), "linear" or "quadratic".
        sparse_labels: y_true are class numbers, not one-hot rows.
        name: what logs call it.
        regression: whether predictions are one number, to be rounded to a class.
        dtype: of the counts.
    """

    _arguments = ("num_classes", "weightage", "sparse_labels", "regression")
    _direction = "up"
    counts: torch.Tensor

    def __init__(
        self, num_classes: int, name: str = "cohen_kappa", weightage: str | None = None, sparse_labels: bool = False,
        regression: bool = False, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, dtype=dtype)
        self.num_classes, self.weightage = num_classes, weightage
        self.sparse_labels, self.regression = sparse_labels, regression
        self.add_state("counts", torch.zeros(num_classes, num_classes), dist_reduce_fx="sum")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """(N, classes), or (N,) with sparse_labels, and (N, classes) predictions."""
        true, predicted = torch.as_tensor(y_true).to(self.counts.device), torch.as_tensor(y_pred)
        true = true.int() if true.dtype == torch.bool else true
        first = true.reshape(-1).long() if self.sparse_labels else true.argmax(-1)
        second = predicted.round().reshape(-1).long() if self.regression else predicted.argmax(-1)
        weights = torch.ones(len(first)) if sample_weight is None else torch.as_tensor(sample_weight).float()
        cells = first * self.num_classes + second.clamp(0, self.num_classes - 1).to(first.device)
        flat = self.counts.flatten().index_add(0, cells, weights.reshape(-1).to(self.counts))
        self.counts = flat.reshape_as(self.counts)

    def result(self) -> torch.Tensor:
        """The kappa."""
        side = torch.arange(self.num_classes, device=self.counts.device, dtype=self.counts.dtype)
        apart = side.unsqueeze(0) - side.unsqueeze(1)
        costs = {None: (apart != 0).to(self.counts), "linear": apart.abs(), "quadratic": apart**2}[self.weightage]
        expected = torch.outer(self.counts.sum(1), self.counts.sum(0)) / self.counts.sum().clamp(min=1)
        disagreement = (costs * expected).sum()
        return torch.where(
            disagreement > 0, 1 - (costs * self.counts).sum() / disagreement.clamp(min=1e-12), torch.zeros(())
        )
