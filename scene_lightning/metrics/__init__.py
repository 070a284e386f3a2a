"""Keras' metrics (`keras.metrics`), over torchmetrics."""

from __future__ import annotations

from scene_lightning._objectives import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from scene_lightning._registry import name_unknown_words_of
from scene_lightning._unsupported import explain_missing_names
from scene_lightning.metrics import classification, confusion, iou, wrappers
from scene_lightning.metrics.auc import AUC
from scene_lightning.metrics.base import Mean, MeanMetricWrapper, Metric, Sum
from scene_lightning.metrics.classification import *
from scene_lightning.metrics.confusion import *
from scene_lightning.metrics.container import MetricContainer, resolve_metric
from scene_lightning.metrics.iou import *
from scene_lightning.metrics.registry import deserialize, get, serialize
from scene_lightning.metrics.scores import F1Score, FBetaScore, R2Score
from scene_lightning.metrics.wrappers import *

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence = kl_divergence
bce = BCE = binary_crossentropy
logcosh = log_cosh

__all__ = [
    "AUC", "BCE", "KLD", "MAE", "MAPE", "MSE", "MSLE", "F1Score", "FBetaScore", "Mean", "MeanMetricWrapper",
    "Metric", "MetricContainer", "R2Score", "Sum", "bce", "binary_crossentropy", "binary_focal_crossentropy",
    "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "deserialize", "get",
    "hinge", "huber", "kl_divergence", "kld", "kullback_leibler_divergence", "log_cosh", "logcosh", "mae", "mape",
    "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    "mse", "msle", "poisson", "resolve_metric", "serialize", "sparse_categorical_crossentropy", "squared_hinge",
]  # fmt: skip
__all__ += classification.__all__ + confusion.__all__ + iou.__all__ + wrappers.__all__

name_unknown_words_of(globals()[name] for name in __all__ if name in globals())

explain_missing_names(__name__, __all__)
