"""The residual network of 50 layers under its old address. Keras: `keras.applications.resnet50`."""

from __future__ import annotations

from scene_lightning.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
