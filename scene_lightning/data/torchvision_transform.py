"""Keras' random transform as one of torchvision's, for those who compose theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from scene_lightning.data.augment import DRAWS, AugmentRanges, apply_affine


class KerasAffine(v2.Transform):
    """Keras' random transform as a torchvision v2 transform: composes with torchvision's own on image batches.

    Args:
        seed: with a seed, the i-th image this object ever sees gets the same parameters in every run; without one,
            the numbers come from torch's global generator.
        channels_last: whether images are (N, H, W, C) instead of torchvision's (N, C, H, W).
        **ranges: the arguments of `AugmentRanges`; `zoom_range` may be one number z, meaning (1 - z, 1 + z).
    """

    _transformed_types = (torch.Tensor, tv_tensors.Image)

    def __init__(self, seed: int | None = None, channels_last: bool = False, **ranges: Any) -> None:
        super().__init__()
        zoom = ranges.get("zoom_range", 0.0)
        if np.ndim(zoom) == 0:
            ranges["zoom_range"] = (1 - zoom, 1 + zoom)
        self.ranges = AugmentRanges(**ranges)
        self.seed, self.channels_last, self.seen = seed, channels_last, 0

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw for the first image or batch in the sample; every image tensor in the sample gets the same."""
        image = flat_inputs[0]
        count = image.shape[0] if image.ndim == 4 else 1
        height, width = image.shape[-3:-1] if self.channels_last else image.shape[-2:]
        if self.seed is None:
            numbers = torch.rand(count, DRAWS, dtype=torch.float64).numpy()
            return {"params": self.ranges.from_uniforms(numbers, height, width)}
        indices = np.arange(self.seen, self.seen + count)
        self.seen += count
        return {"params": self.ranges.draw(self.seed, 0, indices, height, width)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """One image (C, H, W) or a batch (N, C, H, W); uint8 is rounded back to uint8."""
        batch = inpt.as_subclass(Tensor)
        batch = batch[None] if inpt.ndim == 3 else batch
        ranges = self.ranges
        result = apply_affine(
            batch,
            params["params"],
            ranges.fill_mode,
            ranges.cval,
            ranges.variant,
            order=ranges.order,
            channels_last=self.channels_last,
        )
        if not batch.is_floating_point():
            result = result.round().to(batch.dtype)
        result = result[0] if inpt.ndim == 3 else result
        return tv_tensors.wrap(result, like=inpt) if isinstance(inpt, tv_tensors.Image) else result
