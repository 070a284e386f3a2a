"""Functions of tensors, arrays and symbolic tensors, as thin calls of torch. Keras: `keras.ops`."""

from scene_lightning._unsupported import explain_missing_names
from scene_lightning.layers.base.operators import operator_layers as operator_layers  # with those that `ops` adds
from scene_lightning.ops import (
    core,
    creation,
    elementwise,
    image,
    indexing,
    joining,
    linalg,
    nn,
    numpy,
    products,
    reductions,
    shapes,
)
from scene_lightning.ops.convolution import *
from scene_lightning.ops.core import *
from scene_lightning.ops.creation import *
from scene_lightning.ops.elementwise import *
from scene_lightning.ops.indexing import *
from scene_lightning.ops.joining import *
from scene_lightning.ops.linalg import *
from scene_lightning.ops.nn import *
from scene_lightning.ops.products import *
from scene_lightning.ops.reductions import *
from scene_lightning.ops.shapes import *

__all__ = ["image", "linalg", "nn", "numpy"]
__all__ += core.__all__ + creation.__all__ + elementwise.__all__ + indexing.__all__ + joining.__all__
__all__ += linalg.__all__ + nn.__all__ + products.__all__ + reductions.__all__ + shapes.__all__

explain_missing_names(__name__, __all__)
