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


def whole_maps(model: Any, recipe: Recipe) -> Any:
    """Bring the maps before `Flatten` to the size that the network was built for, so that it takes images of any size.

    Bilinear, so that each unit of the first Dense layer goes on looking at its own part of the image.

    Args:
        model: the recipe's network.
        recipe: says which size the maps have.

    Returns:
        What ends it by its `remove()`.
    """
    size = last_map(recipe.model)

    def resize(layer: Any, inputs: tuple[torch.Tensor, ...]) -> Any:
        maps = inputs[0]
        if tuple(maps.shape[1:3]) == size:
            return None
        planes = F.interpolate(maps.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False)
        return (planes.permute(0, 2, 3, 1), *inputs[1:])

    flatten = next(layer for layer in model.layers if type(layer) is layers.Flatten)
    return flatten.register_forward_pre_hook(resize)


class WholeMaps(Callback):
    """While a run trains, `whole_maps` of its network.

    Args:
        recipe: the run's.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self._recipe = recipe
        self._hook: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._hook = whole_maps(self.model, self._recipe)

    def on_train_end(self, logs: Any = None) -> None:
        self._hook.remove()
