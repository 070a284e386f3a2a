"""`tf.data`: this package's `Dataset` under TensorFlow's name."""

from __future__ import annotations

from typing import Any

from scene_lightning.utils.dataset import AUTOTUNE, INFINITE, UNKNOWN, Dataset

INFINITE_CARDINALITY, UNKNOWN_CARDINALITY = INFINITE, UNKNOWN


class Options:
    """Options of a dataset: any attribute can be set; none has a meaning here."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = Options()
        object.__setattr__(self, name, made)
        return made


def cardinality(dataset: Dataset) -> Any:
    """The number of elements; −1 for endless, −2 for unknown."""
    return dataset.cardinality()


__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "Options", "cardinality"]
