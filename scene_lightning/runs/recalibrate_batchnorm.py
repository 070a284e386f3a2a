"""Recalibrates BatchNormalization: its moving statistics are taken of images as prediction sees them.

In training the statistics follow augmented, mixed, perhaps smaller images, and weights that have moved on since; with
averaged weights they belong to other ones altogether (Izmailov and others, 2018, recalculate them for that reason).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch

from scene_lightning.callbacks import Callback
from scene_lightning.data.cache import CachedImages
from scene_lightning.fast.switch import plain_paths
from scene_lightning.layers import BatchNormalization
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.runs.inputs import sample_feed

IMAGES = 512  # so many of the training images, or the next whole batch: 25,000 values a channel in the paper's last map


class StatisticsAnew(Callback):
    """Before each validation, and so in the checkpoint that follows it, the statistics are those of `IMAGES` training
    images: not augmented, in their whole size, seen by the weights that are validated. Layers that are frozen keep
    theirs. With averaged weights that is best.ckpt; last.ckpt has the weights to go on from, with the same statistics.

    Args:
        recipe: how images are rescaled; its seed says which of them are seen, the same each time.
        images: the training images.
    """

    def __init__(self, recipe: Recipe, images: CachedImages) -> None:
        super().__init__()
        self._feed = sample_feed(recipe, images)
        self._batches = math.ceil(IMAGES / recipe.training.batch_size)

    def on_test_begin(self, logs: Any = None) -> None:
        precision = self.model.trainer.precision_plugin
        with precision.forward_context():
            recalculate(self.model, map(precision.convert_input, self._images()))

    def _images(self) -> Iterator[torch.Tensor]:
        device = next(self.model.parameters()).device
        for batch in islice(self._feed.batches(0), self._batches):
            yield self._feed.to_device_batch(batch.to(device), 0, training=False)[0]


def recalculate(model: Any, batches: Iterable[torch.Tensor]) -> None:
    """Set the moving statistics of a model's trainable BatchNormalization layers to the averages over `batches`.

    A batch counts as many times as it has samples; layers that are not called keep their statistics.

    Args:
        model: its layers are changed in place.
        batches: images as the model takes them, (N, H, W, C) each.
    """
    layers = [one for one in model.modules() if isinstance(one, BatchNormalization) and one.built and one.trainable]
    sums = [_Sums(one) for one in layers]
    hooks = [layer.register_forward_pre_hook(one.add) for layer, one in zip(layers, sums, strict=True)]
    try:
        with torch.no_grad(), plain_paths():
            for batch in batches if layers else ():
                model(batch, training=False)
            for one in sums:
                one.finish()
    finally:
        for hook in hooks:
            hook.remove()


class _Sums:
    """One layer's statistics, added up by a hook before each call, which also makes the layer normalise this batch
    with its own: all else is as in prediction, no dropout, no noise, nothing drawn."""

    def __init__(self, layer: Any) -> None:
        self._layer, self._samples = layer, 0
        kind = torch.float64 if layer.moving_mean.dtype == torch.float64 else torch.float32
        self._mean, self._variance = (torch.zeros_like(layer.moving_mean, dtype=kind) for _ in range(2))

    def add(self, _: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0].movedim(self._layer.axis, -1).flatten(0, -2).to(self._mean.dtype)
        variance, mean = torch.var_mean(values, dim=0, correction=0)
        self._keep(mean, variance)
        self._samples += len(inputs[0])
        self._mean.add_(mean, alpha=len(inputs[0]))
        self._variance.add_(variance, alpha=len(inputs[0]))

    def finish(self) -> None:
        if self._samples:
            self._keep(self._mean / self._samples, self._variance / self._samples)

    def _keep(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        self._layer.moving_mean.copy_(mean)
        self._layer.moving_variance.copy_(variance)
