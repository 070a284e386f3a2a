"""Progressive resizing: says how large images are in which part of a run, and builds a network for it."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning import layers
from scene_lightning.callbacks import Callback
from scene_lightning.data.progressive_sizes import ProgressiveSizes
from scene_lightning.recipes.model_schema import last_map, seen_size
from scene_lightning.recipes.schema import Recipe


def progressive_sizes(recipe: Recipe) -> ProgressiveSizes | None:
    """None where all images have the network's size. Its last maps are what `Flatten` sees: pixels that valid

    Args:
        recipe: its `training.progressive_resizing` counts.
    convolutions and pooling drop at the right and the bottom are not computed."""
    shares = recipe.training.progressive_resizing
    if not shares:
        return None
    seen = seen_size(recipe.model)
    sizes = [(round(share * seen[0]), round(share * seen[1])) for share in shares]
    return ProgressiveSizes(sizes, recipe.training.epochs, seen)


class WholeMaps(Callback):
    """While a run trains on images of any size, the maps before `Flatten` are brought to the size it was built for.

    Bilinear, so that each unit of the first Dense layer goes on looking at its own part of the image.

    Args:
        recipe: says which size the maps have.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self._size = last_map(recipe.model)
        self._hook: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        flatten = next(layer for layer in self.model.layers if type(layer) is layers.Flatten)
        self._hook = flatten.register_forward_pre_hook(self._resize)

    def on_train_end(self, logs: Any = None) -> None:
        self._hook.remove()

    def _resize(self, layer: Any, inputs: tuple[torch.Tensor, ...]) -> Any:
        maps = inputs[0]
        if tuple(maps.shape[1:3]) == self._size:
            return None
        planes = F.interpolate(maps.permute(0, 3, 1, 2), self._size, mode="bilinear", align_corners=False)
        return (planes.permute(0, 2, 3, 1), *inputs[1:])
