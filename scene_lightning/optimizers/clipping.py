"""Makes gradients fit their weights, and clips them (into new tensors: a caller's are not changed)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning.errors import InputError


def clip(
    grads: list[Tensor], clipnorm: float | None, global_clipnorm: float | None, clipvalue: float | None
) -> list[Tensor]:
    """Clip gradients into new tensors, by the first of three limits that is set.

    Args:
        grads: gradients.
        clipnorm: largest norm of each tensor; None: no limit.
        global_clipnorm: largest norm of all together; None: no limit.
        clipvalue: largest absolute value of an element; None: no limit.
    """
    if clipnorm:
        norms = torch._foreach_norm(grads)
        scales = [clipnorm / torch.clamp(norm, min=clipnorm) for norm in norms]
        return [grad * scale for grad, scale in zip(grads, scales, strict=True)]
    if global_clipnorm:
        norm = torch.linalg.vector_norm(torch.stack([n.float() for n in torch._foreach_norm(grads)]))
        scale = global_clipnorm * torch.clamp(1.0 / norm, max=1.0 / global_clipnorm)
        scale = scale + (norm - norm)  # an infinite norm makes every gradient NaN, as in Keras
        return [grad * scale.to(grad.dtype) for grad in grads]
    if clipvalue:
        return [torch.clamp(grad, -clipvalue, clipvalue) for grad in grads]
    return grads


def as_gradient(grad: Any, variable: Tensor) -> Tensor:
    """Bring a gradient to its weight's device, dtype and shape (one that broadcasts to it goes, too, as in Keras).

    Args:
        grad: tensor or array-like.
        variable: the weight.
    """
    gradient = torch.as_tensor(grad).to(device=variable.device, dtype=variable.dtype)
    if gradient.shape == variable.shape:
        return gradient
    try:
        return gradient.expand(variable.shape)
    except RuntimeError:
        raise InputError(
            f"A gradient has the shape of its weight, {tuple(variable.shape)}; received {tuple(gradient.shape)}. "
            "Pair each gradient with the weight by which it was taken."
        ) from None


@torch.no_grad()
def laid_out_like(variable: Tensor, grad: Tensor) -> Tensor:
    """Bring a gradient into the weight's order in memory, as torch's backward() leaves it.

    torch's fused kernels, which look at no strides, count on it.

    Args:
        variable: the weight.
        grad: its gradient, of the same shape.
    """
    return grad if grad.stride() == variable.stride() else torch.empty_like(variable).copy_(grad)
