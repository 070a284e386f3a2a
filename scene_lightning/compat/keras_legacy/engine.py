"""Finds the inputs of a symbolic tensor. Keras 2: `keras.engine.get_source_inputs`."""

from __future__ import annotations

from scene_lightning.models import Functional as Container
from scene_lightning.models import Functional as Network
from scene_lightning.utils import get_source_inputs

__all__ = ["Container", "Network", "get_source_inputs"]
