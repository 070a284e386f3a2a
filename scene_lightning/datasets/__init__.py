"""The small public data sets of `keras.datasets`, read from files on this machine; nothing is downloaded."""

from scene_lightning._unsupported import explain_missing_names
from scene_lightning.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)

__all__ = [
    "boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters",
]  # fmt: skip

explain_missing_names(__name__, __all__)
