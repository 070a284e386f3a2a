"""`import scene_lightning as keras`: Keras' public names, each imported when it is first asked for.

Nothing heavy happens here: the command line's `--help` imports this package and must not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# name → the module that holds it
_NAMES = {
    "Model": "models",
    "Sequential": "models",
    "Input": "layers",
    "InputSpec": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Optimizer": "optimizers",
    "Initializer": "initializers",
    "Regularizer": "regularizers",
    "install": "compat.install",
    "load_ipython_extension": "compat.install",
    "unload_ipython_extension": "compat.install",
}

__all__ = [
    "Initializer",
    "Input",
    "InputSpec",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "__version__",
    "activations",
    "backend",
    "callbacks",
    "constraints",
    "data",
    "initializers",
    "install",
    "layers",
    "load_ipython_extension",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "preprocessing",
    "regularizers",
    "saving",
    "unload_ipython_extension",
    "utils",
]

if TYPE_CHECKING:
    from scene_lightning import (
        activations,
        backend,
        callbacks,
        constraints,
        data,
        initializers,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        preprocessing,
        regularizers,
        saving,
        utils,
    )
    from scene_lightning.compat.install import install, load_ipython_extension, unload_ipython_extension
    from scene_lightning.initializers import Initializer
    from scene_lightning.layers import Input, InputSpec, Layer
    from scene_lightning.losses import Loss
    from scene_lightning.metrics import Metric
    from scene_lightning.models import Model, Sequential
    from scene_lightning.optimizers import Optimizer
    from scene_lightning.regularizers import Regularizer


def __getattr__(name: str) -> Any:
    """PEP 562: import the module behind `name`, remember what it gave."""
    if name in _NAMES:
        found = getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
        globals()[name] = found
        return found
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    from scene_lightning._identifiers import did_you_mean  # only an error needs it

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{did_you_mean(name, __all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
