"""`keras.mixed_precision.experimental` of TensorFlow 2.1 to 2.3, in today's terms."""

from __future__ import annotations

from scene_lightning.mixed_precision import set_global_policy as set_policy

__all__ = ["set_policy"]
