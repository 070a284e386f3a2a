"""Lists what a checkpoint holds, and gives single values of it: `tf.train.load_checkpoint`, `list_variables`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from scene_lightning.compat.checkpoint_names import SUFFIX, checkpoint_exists, named_checkpoints
from scene_lightning.compat.tensorflow.text import as_text
from scene_lightning.errors import DataError, InputError
from scene_lightning.saving import checkpoint as files
from scene_lightning.saving import read_legacy_h5
from scene_lightning.saving.sniff import stored_at

KEY = "tf.train"  # what `tf.train.Checkpoint` keeps in its file, by this


class CheckpointReader:
    """The values of a checkpoint by this package's names for them. TensorFlow: `tf.train.load_checkpoint`.

    Args:
        values: name → array.
    """

    def __init__(self, values: Mapping[str, np.ndarray]) -> None:
        self._values = dict(values)

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """Gives the shape of each value, by name."""
        return {name: list(value.shape) for name, value in self._values.items()}

    def has_tensor(self, name: Any) -> bool:
        """Whether there is a value of that name."""
        return as_text(name) in self._values

    def get_tensor(self, name: Any) -> np.ndarray:
        """The value as NumPy. Raises InputError for a name that is not there."""
        if not self.has_tensor(name):
            raise InputError(f"The checkpoint has no {as_text(name)!r}. It has {', '.join(list(self._values)[:8])}.")
        return self._values[str(as_text(name))]


def load_checkpoint(ckpt_dir_or_file: Any) -> CheckpointReader:
    """Opens a checkpoint of `tf.train.Checkpoint` or `save_weights` here, to look into it.

    Args:
        ckpt_dir_or_file: its path without a suffix, or a folder, whose latest one is meant.

    Raises:
        DataError: nothing there.
    """
    place = str(as_text(ckpt_dir_or_file))
    latest, _ = named_checkpoints(place)
    prefix = place if checkpoint_exists(place) or latest is None else latest
    if not checkpoint_exists(prefix):
        raise DataError(f"No checkpoint {place!r}: expected the file {prefix + SUFFIX!r}, or a folder that names one.")
    if stored_at(prefix) != prefix:
        archive = read_legacy_h5(stored_at(prefix))
        return CheckpointReader(
            {
                name: array
                for layer in archive.weights.walk()
                for name, array in zip(layer.weight_names, layer.arrays, strict=True)
            }
        )
    content = files.read_checkpoint(prefix + SUFFIX).get(KEY) or {}
    named = {**content.get("tensors", {}), **content.get("scalars", {}), "save_counter": content.get("save_counter", 0)}
    return CheckpointReader({name: _array(value) for name, value in named.items()})


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """Lists (name, shape) of each value, sorted. TensorFlow: `tf.train.list_variables`.

    Args:
        ckpt_dir_or_file: as for `load_checkpoint`.
    """
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


def load_variable(ckpt_dir_or_file: Any, name: Any) -> np.ndarray:
    """Reads one value. TensorFlow: `tf.train.load_variable`.

    Args:
        ckpt_dir_or_file: as for `load_checkpoint`.
        name: the value's, as `list_variables` has it.
    """
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name)


def _array(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
