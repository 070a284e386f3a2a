"""The functions of losses and metrics, which give one value a sample."""

from scene_lightning._objectives.crossentropy import *
from scene_lightning._objectives.distance import *
from scene_lightning._objectives.margin import *
from scene_lightning._objectives.structured import *

# Written out: type checkers follow no sums of lists.
__all__ = [
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "categorical_hinge", "circle", "cosine_similarity", "ctc", "dice", "hinge",
    "huber", "kl_divergence", "log_cosh", "m3ce", "m3ce_crossentropy", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "poisson",
    "sparse_categorical_crossentropy", "squared_hinge", "tversky",
]  # fmt: skip
