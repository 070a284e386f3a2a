"""What notebooks take from IPython and TensorBoard: moved names, and hyperparameters, written by `tf.summary`."""

from __future__ import annotations

import importlib
from types import ModuleType

from scene_lightning.compat.removed.patching import replace


def _hparams(module: ModuleType) -> None:
    replace(module, "tf", importlib.import_module("tensorflow"))


NAMES = {"IPython.core.display": {n: f"IPython.display.{n}" for n in ("display", "display_html", "clear_output")}}
PATCHES = {"tensorboard.plugins.hparams.summary_v2": _hparams}
