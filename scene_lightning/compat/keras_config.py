"""The names of `keras.config`, beside the dtype policies, which `mixed_precision` has."""

from __future__ import annotations

from scene_lightning.backend import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from scene_lightning.training.ledger import ledger
from scene_lightning.utils import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)


def enable_unsafe_deserialization() -> None:
    """Nothing to enable: this engine never runs code from a model file."""
    ledger.ignore("enable_unsafe_deserialization()", "code in model files is never run")


__all__ = [
    "backend", "disable_interactive_logging", "enable_interactive_logging", "enable_unsafe_deserialization", "epsilon",
    "floatx", "image_data_format", "is_interactive_logging_enabled", "set_epsilon", "set_floatx",
    "set_image_data_format",
]  # fmt: skip
