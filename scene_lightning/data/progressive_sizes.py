"""Trains on smaller images in the first parts of a run (progressive resizing).

Augmented images are read in that size at once (`view_in`), bilinear and without averaging: at half the side each pixel
still is of four, and a step saves more than it lost in sharpness. Others are brought to it afterwards.

Most of what a network learns first needs no fine detail: Howard and others, 2018 (DAWNBench, fast.ai).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from scene_lightning.data.geometry import View


@dataclass(frozen=True)
class ProgressiveSizes:
    """How large images are in each epoch.

    Attributes:
        sizes: (height, width) in pixels, in parts of equal length of the run.
        epochs: of the whole run.
        seen: (height, width), the upper left part of an image that the network makes use of; the rest is cut off.
    """

    sizes: Sequence[tuple[int, int]]
    epochs: int
    seen: tuple[int, int]

    def size_in(self, epoch: int) -> tuple[int, int]:
        """(height, width) in `epoch`, counted from 0."""
        return self.sizes[min(epoch * len(self.sizes) // self.epochs, len(self.sizes) - 1)]

    def share_of_pixels(self) -> float:
        """The pixels that the whole run trains on, as a share of those that it would in its largest size."""
        pixels = [height * width for height, width in self.sizes]
        return sum(pixels) / (len(pixels) * max(pixels))

    def view_in(self, epoch: int) -> View:
        """What augmentation is to read of each image in `epoch`."""
        return View(self.seen, self.size_in(epoch))

    def __call__(self, images: Tensor, epoch: int) -> Tensor:
        """(N, H, W, C) grey levels, not to be augmented on the device → (N, h, w, C) float32, by averaging."""
        images = images[:, : self.seen[0], : self.seen[1]]
        size = self.size_in(epoch)
        if size == tuple(images.shape[1:3]):
            return images
        planes = images.permute(0, 3, 1, 2).float()
        smaller = F.interpolate(planes, size, mode="bilinear", antialias=True, align_corners=False)
        return smaller.permute(0, 2, 3, 1).contiguous()
