"""The types that signatures of layers name: shapes, sizes, and what may be given by name, by object or by function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from scene_lightning.constraints import Constraint
from scene_lightning.initializers import Initializer
from scene_lightning.layers.base.policy import DTypePolicy
from scene_lightning.regularizers import Regularizer

Shape = tuple[int | None, ...]
ShapeLike = Sequence[int | None]  # what is taken as a shape; None: a side that is not known
Sizes = int | Sequence[int]  # one number for all sides, or one number a side
Factor = float | Sequence[float]  # the end of a range of random numbers, or both ends
Config = Mapping[str, Any]  # what `get_config` or `serialize` has written

ActivationLike = str | Callable[[Tensor], Tensor] | nn.Module | Config | None
InitializerLike = str | Initializer | Callable[..., Tensor] | Tensor | Config | None
RegularizerLike = str | Regularizer | Callable[[Tensor], Tensor] | Config | None
ConstraintLike = str | Constraint | Callable[[Tensor], Tensor] | Config | None
DTypeLike = str | torch.dtype | DTypePolicy | Config | None
