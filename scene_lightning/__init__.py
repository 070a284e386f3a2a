"""`import scene_lightning as keras`: Keras' public names, each imported when it is first asked for.

Nothing heavy happens here: the command line's `--help` imports this package and must not wait for torch.
"""

from __future__ import annotations

import os as _os
import sys as _sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# OpenMP's threads spin for milliseconds while they wait, which takes the processor from whatever else runs; not to spin
# at all costs small networks a quarter of a call. So they spin 2,000 times, 20 to 100 microseconds. torch loads OpenMP.
if "torch" not in _sys.modules and "OMP_WAIT_POLICY" not in _os.environ:
    _os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    _os.environ.setdefault("GOMP_SPINCOUNT", "2000")

# module → the names here that it holds
_HELD = {
    "mixed_precision": "DTypePolicy FloatDTypePolicy",
    "layers.base.symbolic": "KerasTensor",
    "layers.base.variable": "Variable",
    "models": "Model Sequential",
    "layers": "Input InputSpec Layer",
    "losses": "Loss",
    "metrics": "Metric",
    "optimizers": "Optimizer",
    "initializers": "Initializer",
    "regularizers": "Regularizer",
    "compat.install": "install load_ipython_extension unload_ipython_extension",
}
_NAMES = {name: module for module, names in _HELD.items() for name in names.split()}

__all__ = [
    "DTypePolicy", "FloatDTypePolicy", "Initializer", "Input", "InputSpec", "KerasTensor", "Layer", "Loss",
    "Metric", "Model", "Optimizer", "Regularizer", "Sequential", "Variable", "__version__", "activations",
    "applications", "backend", "callbacks", "config", "constraints", "data", "datasets", "initializers", "install",
    "layers", "load_ipython_extension", "losses", "metrics", "mixed_precision", "models", "ops", "optimizers",
    "preprocessing", "random", "regularizers", "saving", "tree", "unload_ipython_extension", "utils", "version",
]  # fmt: skip

# What Keras has beside these, and what stands for it here.
if TYPE_CHECKING:
    from scene_lightning import (
        activations,
        applications,
        backend,
        callbacks,
        config,
        constraints,
        data,
        datasets,
        initializers,
        layers,
        losses,
        metrics,
        mixed_precision,
        models,
        ops,
        optimizers,
        preprocessing,
        random,
        regularizers,
        saving,
        tree,
        utils,
    )
    from scene_lightning.compat.install import install, load_ipython_extension, unload_ipython_extension
    from scene_lightning.initializers import Initializer
    from scene_lightning.layers import Input, InputSpec, Layer
    from scene_lightning.layers.base.symbolic import KerasTensor
    from scene_lightning.layers.base.variable import Variable
    from scene_lightning.losses import Loss
    from scene_lightning.metrics import Metric
    from scene_lightning.mixed_precision import DTypePolicy, FloatDTypePolicy
    from scene_lightning.models import Model, Sequential
    from scene_lightning.optimizers import Optimizer
    from scene_lightning.regularizers import Regularizer


def version() -> str:
    """This package's version. Keras: `keras.version`."""
    return __version__


if not TYPE_CHECKING:  # type checkers report a name that is not there

    def __getattr__(name: str) -> Any:
        """PEP 562: import the module behind `name`, remember what it gave."""
        if name in _NAMES:
            value = getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
            globals()[name] = value
            return value
        if name in __all__:
            return import_module(f"{__name__}.{name}")
        from scene_lightning._unsupported import lookup  # only an error needs it

        return lookup(__name__, __all__)(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
