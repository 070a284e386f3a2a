"""Training images in; BatchNormalization's moving statistics, of the images as prediction sees them, out.

In training the statistics follow augmented, mixed, perhaps smaller images, and weights that have moved on since; with
averaged weights they belong to other ones altogether (Izmailov and others, 2018, recalculate them for that reason).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch

from scene_lightning.app.images import sample_feed
from scene_lightning.app.recipe import Recipe
from scene_lightning.callbacks import Callback
from scene_lightning.data.cache import CachedImages
from scene_lightning.fast.switch import plain_paths
from scene_lightning.layers import BatchNormalization

IMAGES = 512  # of the training images, at most: 25,000 values a channel in the last of the paper's maps


class StatisticsAnew(Callback):
    """Before each validation, and so in the checkpoint that follows it, the statistics are those of `IMAGES` training
    images: not augmented, in their whole size, seen by the weights that are validated. Layers that are frozen keep
    theirs.

    Args:
        recipe: how images are rescaled; its seed says which of them are seen, the same each time.
        images: the training images.
    """

    def __init__(self, recipe: Recipe, images: CachedImages) -> None:
        super().__init__()
        self._feed = sample_feed(recipe, images)
        self._batches = math.ceil(IMAGES / recipe.training.batch_size)

    def on_test_begin(self, logs: Any = None) -> None:
        device = next(self.model.parameters()).device
        first = islice(self._feed.batches(0), self._batches)
        recalculate(self.model, (self._feed.to_device_batch(one.to(device), 0, training=False)[0] for one in first))


def recalculate(model: Any, batches: Iterable[torch.Tensor]) -> None:
    """Set the moving statistics of a model's trainable BatchNormalization layers to the averages over `batches`."""
    found = [one for one in model.modules() if isinstance(one, BatchNormalization) and one.built and one.trainable]
    if not found:
        return
    sums = [(torch.zeros_like(one.moving_mean), torch.zeros_like(one.moving_variance)) for one in found]
    count = 0
    with torch.no_grad(), plain_paths(), _normalising_each_batch(found, sums):
        for batch in batches:
            model(batch, training=False)
            count += 1
    with torch.no_grad():
        for layer, (mean, variance) in zip(found, sums, strict=True):
            layer.moving_mean.copy_(mean / count)
            layer.moving_variance.copy_(variance / count)


@contextmanager
def _normalising_each_batch(found: list[Any], sums: list[tuple[torch.Tensor, torch.Tensor]]) -> Iterator[None]:
    """Within the block each layer normalises with its batch's own statistics, and adds them to its sums. A hook, so
    that all else is as in prediction: no dropout, no noise, nothing drawn."""

    def look(layer: Any, mean_sum: torch.Tensor, variance_sum: torch.Tensor) -> Any:
        def before(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            values = inputs[0].movedim(layer.axis, -1).flatten(0, -2)
            variance, mean = torch.var_mean(values, dim=0, correction=0)
            layer.moving_mean.copy_(mean)
            layer.moving_variance.copy_(variance)
            mean_sum.add_(mean)
            variance_sum.add_(variance)

        return layer.register_forward_pre_hook(before)

    hooks = [look(layer, *pair) for layer, pair in zip(found, sums, strict=True)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
