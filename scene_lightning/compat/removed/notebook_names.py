"""What notebooks take from IPython and TensorBoard: moved names, and hyperparameters, written by `tf.summary`."""

from __future__ import annotations

import importlib
from types import ModuleType

from scene_lightning.compat.removed.patching import give_names, replace

_DISPLAY = "display display_html clear_output"


def _hparams(module: ModuleType) -> None:
    replace(module, "tf", importlib.import_module("tensorflow"))


def _display(module: ModuleType) -> None:
    give_names(module, {name: f"IPython.display.{name}" for name in _DISPLAY.split()})


PATCHES = {"tensorboard.plugins.hparams.summary_v2": _hparams, "IPython.core.display": _display}
