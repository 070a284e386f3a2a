"""Keras' utilities for data other than images: each call says that it is not here, and what is."""

from __future__ import annotations

from typing import Any, NoReturn

from scene_lightning._documented import mark_absent
from scene_lightning.errors import UnsupportedError


def _refuse(name: str, instead: str) -> NoReturn:
    raise UnsupportedError(f"keras.utils.{name} is not supported: this package classifies images. {instead}")


@mark_absent
def audio_dataset_from_directory(*args: Any, **kwargs: Any) -> NoReturn:
    """Not here. Keras: `utils.audio_dataset_from_directory`."""
    _refuse("audio_dataset_from_directory", "Read sounds with torchaudio and pass a torch DataLoader to fit().")


@mark_absent
def text_dataset_from_directory(*args: Any, **kwargs: Any) -> NoReturn:
    """Not here. Keras: `utils.text_dataset_from_directory`."""
    _refuse("text_dataset_from_directory", "For images use image_dataset_from_directory.")


@mark_absent
def timeseries_dataset_from_array(*args: Any, **kwargs: Any) -> NoReturn:
    """Not here. Keras: `utils.timeseries_dataset_from_array`."""
    _refuse("timeseries_dataset_from_array", "Cut the windows with numpy.lib.stride_tricks.sliding_window_view.")


@mark_absent
def pad_sequences(*args: Any, **kwargs: Any) -> NoReturn:
    """Not here. Keras: `utils.pad_sequences`."""
    _refuse("pad_sequences", "Use torch.nn.utils.rnn.pad_sequence.")


@mark_absent
class FeatureSpace:
    """Not here. Keras: `utils.FeatureSpace`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse("FeatureSpace", "Prepare tables of features with scikit-learn.")
