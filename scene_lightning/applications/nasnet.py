"""NASNet is not here: its constructors say what to use instead. Keras: `keras.applications.nasnet`."""

from __future__ import annotations

from scene_lightning.applications._unsupported import missing
from scene_lightning.applications.imagenet_utils import decode_predictions
from scene_lightning.applications.imagenet_utils import from_minus_one_to_one as preprocess_input

NASNetMobile = missing("NASNetMobile", "Use MobileNetV3Small or EfficientNetB0, which are as small and more accurate.")
NASNetLarge = missing("NASNetLarge", "Use EfficientNetB4, which is smaller and as accurate.")

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]
