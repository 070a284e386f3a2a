"""Shows the functions that Keras has in `keras.ops.numpy`."""

from scene_lightning._unsupported import explain_missing_names
from scene_lightning.ops.core import ndim as ndim
from scene_lightning.ops.core import size as size
from scene_lightning.ops.creation import *
from scene_lightning.ops.elementwise import *
from scene_lightning.ops.indexing import *
from scene_lightning.ops.joining import *
from scene_lightning.ops.products import *
from scene_lightning.ops.reductions import *
from scene_lightning.ops.shapes import *

explain_missing_names(__name__, [])
