"""Keras 2's module of settings and functions of tensors, often imported as `K`. Keras: `keras.backend`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from scene_lightning import _settings
from scene_lightning._settings import *
from scene_lightning._unsupported import lookup
from scene_lightning.backend import functions, graph, shapes, variables
from scene_lightning.backend.functions import *
from scene_lightning.backend.graph import *
from scene_lightning.backend.shapes import *
from scene_lightning.backend.variables import *

__all__ = [*_settings.__all__, *functions.__all__, *graph.__all__, *shapes.__all__, *variables.__all__]
_find = lookup(__name__, __all__)


if not TYPE_CHECKING:  # type checkers report a name that is not there

    def __getattr__(name: str) -> Any:
        return sys.modules[__name__] if name == "tensorflow_backend" else _find(name)  # Keras 1's second name for it
