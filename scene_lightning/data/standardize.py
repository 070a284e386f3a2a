"""Rescales, centres, divides and whitens batches of images for the network.

Source: Keras' ImageDataGenerator.standardize, in its order.
"""

from __future__ import annotations

from dataclasses import dataclass
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

    def __call__(self, images: Tensor) -> Tensor:
        """(N, H, W, C) uint8 or float32 → float32."""
        # uint8 times float gives float32 in one pass.
        x = images * self.rescale if self.rescale else images.float()
        if self.mirrored:
            x = x.flip(-2)
        if self.samplewise_center:
            x = x - x.mean((1, 2, 3), keepdim=True)
        if self.samplewise_std:
            x = x / (x.std((1, 2, 3), correction=0, keepdim=True) + 1e-6)
        if self.mean is not None:
            x = x - _like(self.mean, x)
        if self.std is not None:
            x = x / (_like(self.std, x) + 1e-6)
        if self.zca is not None:
            x = (x.reshape(len(x), -1) @ _like(self.zca, x)).reshape(x.shape)
        return x


def _like(values: Any, x: Tensor) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=x.dtype).to(x.device, non_blocking=True)
