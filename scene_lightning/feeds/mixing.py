"""Mixes pairs of images and their targets in training batches: mixup and CutMix.

Mixup (Zhang et al., 2018) and CutMix (Yun et al., 2019), by torchvision; each batch gets one of those that are asked
for. The random numbers come from torch's generator, which a run seeds anew each epoch.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torchvision.transforms import v2

Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def mixer(mixup: float, cutmix: float, num_classes: int) -> Mix | None:
    """Make the function that mixes (N, H, W, C) images and one-hot (N, K) targets; None where nothing is asked for.

    Args:
        mixup, cutmix: the parameter of the Beta distribution the share is drawn from; 0 leaves the method out.
        num_classes: K.
    """
    kinds = [(v2.MixUp, mixup), (v2.CutMix, cutmix)]
    chosen = [kind(alpha=alpha, num_classes=num_classes) for kind, alpha in kinds if alpha > 0]
    if not chosen:
        return None
    transform = v2.RandomChoice(chosen)

    def mix(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if len(x) < 2:
            return x, y
        images, targets = transform(x.permute(0, 3, 1, 2), y)
        return images.permute(0, 2, 3, 1).contiguous(), targets

    return mix
