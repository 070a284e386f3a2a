"""The names directly in `keras`."""

from scene_lightning import __version__ as _engine_version
from scene_lightning.initializers import Initializer
from scene_lightning.layers import Input, InputSpec, Layer
from scene_lightning.layers.base.symbolic import KerasTensor
from scene_lightning.losses import Loss
from scene_lightning.metrics import Metric
from scene_lightning.mixed_precision import DTypePolicy
from scene_lightning.models import Model, Sequential
from scene_lightning.optimizers import Optimizer
from scene_lightning.regularizers import Regularizer

# Keras' version whose behaviour is followed, with this engine's as the local part (PEP 440).
__version__ = f"3.15.1+scene.lightning.{_engine_version}"

__all__ = [
    "DTypePolicy", "Initializer", "Input", "InputSpec", "KerasTensor", "Layer", "Loss", "Metric", "Model",
    "Optimizer", "Regularizer", "Sequential", "__version__",
]  # fmt: skip
