"""NASNet is not here: its constructors say what to use instead. Keras: `keras.applications.nasnet`."""

from __future__ import annotations

from scene_lightning._unsupported import explain_missing_names
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import from_minus_one_to_one as preprocess_input

__all__ = ["decode_predictions", "preprocess_input"]

explain_missing_names(__name__, __all__)
