"""Rescales, centres, divides and whitens batches of images for the network.

Source: Keras' ImageDataGenerator.standardize, in its order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(eq=False)
class Standardize:
    """The last step before the network, on whole batches on the device.

    Attributes:
        rescale: factor, or None.
        samplewise_center, samplewise_std: subtract each image's mean (one number), divide by its standard deviation.
        mirrored: left and right exchanged, as a second look at the same image.
        mean, std: (1, 1, C) of the training data, or None.
        zca: (H·W·C, H·W·C) whitening matrix, or None.
    """

    rescale: float | None = None
    samplewise_center: bool = False
    samplewise_std: bool = False
    mean: Any = None
    std: Any = None
    zca: Any = None
    mirrored: bool = False
    _there: dict[str, tuple[Any, Tensor]] = field(default_factory=dict, init=False, repr=False)  # beside the last batch

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_there": {}}

    def __call__(self, images: Tensor) -> Tensor:
        """(N, H, W, C) uint8 or float32 → float32."""
        if self.rescale and images.dtype == torch.uint8 and images.device.type == "cpu":
            x = images.float().mul_(self.rescale)  # on the CPU two passes are quicker than one that mixes types
        else:
            x = images * self.rescale if self.rescale else images.float()
        if self.mirrored:
            x = x.flip(-2)
        if self.samplewise_center:
            x = x - x.mean((1, 2, 3), keepdim=True)
        if self.samplewise_std:
            x = x / (x.std((1, 2, 3), correction=0, keepdim=True) + 1e-6)
        if self.mean is not None:
            x = x - self._beside(x, "mean")
        if self.std is not None:
            x = x / (self._beside(x, "std") + 1e-6)
        if self.zca is not None:
            x = (x.reshape(len(x), -1) @ self._beside(x, "zca")).reshape(x.shape)
        return x

    def _beside(self, x: Tensor, name: str) -> Tensor:
        """One of the constants on the device of `x` and in its dtype; it is copied there once."""
        values = getattr(self, name)
        given, there = self._there.get(name, (None, None))
        if there is None or given is not values or there.device != x.device or there.dtype != x.dtype:
            with torch.inference_mode(False):  # of an evaluation, but a training may use it next
                there = torch.as_tensor(np.asarray(values), dtype=x.dtype).to(x.device, non_blocking=True)
            self._there[name] = values, there
        return there
