"""Process-wide settings (`keras.config`): float type, image layout, logging, fast paths, limits of a run."""

from __future__ import annotations

from scene_lightning._settings import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from scene_lightning._unsupported import explain_missing_names
from scene_lightning._usage_report import ledger
from scene_lightning.callbacks.messages import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from scene_lightning.errors import UnsupportedError
from scene_lightning.fast import fast_paths_enabled, set_fast_paths
from scene_lightning.mixed_precision import dtype_policy, set_dtype_policy
from scene_lightning.training.run_limits import current_trial, set_trial


def set_backend(backend: str) -> None:
    """Accept "torch", the engine here.

    Args:
        backend: name of the engine.

    Raises:
        UnsupportedError: another name than "torch".
    """
    if backend != "torch":
        raise UnsupportedError(f"keras.config.set_backend({backend!r}): the engine is PyTorch. Leave the call out.")


def max_epochs() -> int | None:
    """Return the most epochs that `fit` runs, or None for no limit."""
    return current_trial().epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit every later `fit`; its History is filled up with the last values.

    Args:
        max_epochs: the most epochs; None: no limit.
    """
    set_trial(epochs=max_epochs, batches=current_trial().batches)


def max_steps_per_epoch() -> int | None:
    """Return the most batches that an epoch of `fit` runs, or None for no limit."""
    return current_trial().batches


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit every later epoch, and its validation.

    Args:
        max_steps_per_epoch: the most batches; None: no limit.
    """
    set_trial(epochs=current_trial().epochs, batches=max_steps_per_epoch)


def enable_traceback_filtering() -> None:
    """Do nothing: tracebacks are not filtered here."""
    ledger.ignore("keras.config.enable_traceback_filtering", "tracebacks are not filtered")


def disable_traceback_filtering() -> None:
    """Do nothing: tracebacks are not filtered here."""


def is_traceback_filtering_enabled() -> bool:
    """Return False: errors show where they come from."""
    return False


def enable_unsafe_deserialization() -> None:
    """Do nothing: code in a model file is never run here."""
    ledger.ignore("keras.config.enable_unsafe_deserialization", "code in model files is never run")


__all__ = [
    "backend", "disable_interactive_logging", "disable_traceback_filtering", "dtype_policy",
    "enable_interactive_logging", "enable_traceback_filtering", "enable_unsafe_deserialization", "epsilon",
    "fast_paths_enabled", "floatx", "image_data_format", "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled", "max_epochs", "max_steps_per_epoch", "set_backend", "set_dtype_policy",
    "set_epsilon", "set_fast_paths", "set_floatx", "set_image_data_format", "set_max_epochs",
    "set_max_steps_per_epoch",
]  # fmt: skip

explain_missing_names(__name__, __all__)
