"""Batch normalisation, and what the normalisation layers share."""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed

from scene_lightning import initializers
from scene_lightning._settings import as_float
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.arguments import known_axis
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import ConstraintLike, InitializerLike, RegularizerLike, Shape, ShapeLike


def single_axis(axis: Any) -> int:
    """The one axis that `3` or Keras 2's `[3]` names. Raises InputError for anything else.

    Args:
        axis: what a user or a file gave.
    """
    if isinstance(axis, list | tuple) and len(axis) == 1:
        axis = axis[0]
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise InputError(f"`axis` must be one integer. Received: axis={axis!r}")
    return axis


class ScaledAndCentred(StandardLayer):
    """The base of the normalisation layers that have a learned scale (gamma) and shift (beta)."""

    center: bool
    scale: bool
    gamma: Any
    beta: Any

    def _add_affine_weights(self, shape: tuple[int, ...]) -> None:
        self.gamma = self._add_named_weight("gamma", shape) if self.scale else None
        self.beta = self._add_named_weight("beta", shape) if self.center else None

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return tuple(input_shape)


def _has_no_layout(values: torch.Tensor) -> bool:
    """Whether (N, C, ...) is both contiguous and channels_last, being one image, row or column. On the CPU torch 2.14.1
    then mixes up the layouts of inputs and gradients in the backward pass; as (N·..., C) they have but one."""
    return (
        values.requires_grad
        and values.ndim > 2
        and 1 in (values.shape[0], *values.shape[2:])
        and values.device.type == "cpu"
    )


class _SumOverDevices(torch.autograd.Function):
    """The sum of all processes' values, and of their gradients."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return _SumOverDevices.forward(ctx, gradient.contiguous())


def _sum_over_devices(values: torch.Tensor) -> torch.Tensor:
    return _SumOverDevices.apply(values)  # type: ignore[no-any-return, no-untyped-call]


class BatchNormalization(ScaledAndCentred):
    """Give each channel mean 0 and variance 1 over the batch, then a learned scale and shift.

    In training gamma·(x - mean) / sqrt(variance + epsilon) + beta, with the mean and (biased) variance of the batch,
    and moving = momentum·moving + (1 - momentum)·batch for both. At inference, and always while `trainable` is False,
    the moving statistics are used and stay as they are. Source: Ioffe & Szegedy 2015 (arXiv:1502.03167).

    Args:
        axis: the channel axis: -1, or 1 for "channels_first"; Keras 2's `[3]` is taken too.
        momentum: share of the moving statistics that a step of training keeps; smaller adapts faster. torch counts the
            other way round: its momentum is 1 minus this.
        epsilon: added to the variance, against division by 0.
        center: whether beta is learned and added.
        scale: whether gamma is learned and multiplied by; not needed before a linear layer.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: how the first values
            are made: a name, an object or a function; zeros for beta and mean, ones for gamma and variance.
        beta_regularizer, gamma_regularizer: penalty on the weight, added to the loss: "l2", an object or a function;
            None: none.
        beta_constraint, gamma_constraint: what is applied to the weight after each training step; None: nothing.
        synchronized: whether statistics go over the batches of all devices instead of each device's own, weighed by
            their sizes.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to use and count the batch's statistics; None: as the model that calls is in training or not.

    Output shape:
        That of the input.

    Raises:
        InputError: an axis that the input does not have.
        UnsupportedError: Keras 2's `renorm` and `virtual_batch_size`.

    Example:
        >>> images = torch.rand(8, 150, 150, 32) * 255
        >>> keras.layers.BatchNormalization()(images, training=True).mean().round().abs().item()
        0.0
    """

    counts_here = True  # in synchronised statistics: not a batch that is read to stay in step alone

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("renorm", False):
            raise UnsupportedError("BatchNormalization(renorm=True) is not supported: use GroupNormalization.")
        if kwargs.pop("virtual_batch_size", None) is not None:
            raise UnsupportedError("BatchNormalization(virtual_batch_size=) is not supported: use smaller batches.")
        for unused in ("renorm_clipping", "renorm_momentum", "fused", "adjustment"):  # of renorm, of a kernel
            kwargs.pop(unused, None)
        super().__init__(**kwargs)
        self.axis = single_axis(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.synchronized = bool(synchronized)
        self.center, self.scale = bool(center), bool(scale)
        self._set_options("beta", beta_initializer, beta_regularizer, beta_constraint)
        self._set_options("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: ShapeLike) -> None:
        size = known_axis(self.axis, input_shape)
        self._add_affine_weights((size,))
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=(size,), initializer=self.moving_mean_initializer, trainable=False
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=(size,), initializer=self.moving_variance_initializer, trainable=False
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        values = as_float(inputs).movedim(self.axis, 1)  # a view; torch wants the channels on axis 1
        shape = None
        if _has_no_layout(values):
            shape = (values.shape[0], *values.shape[2:], values.shape[1])
            values = values.movedim(1, -1).reshape(-1, shape[-1])
        if not (training and self.trainable):
            gamma, moving = self._gamma_for(values), (self.moving_mean, self.moving_variance)
            outputs = torch.batch_norm(values, gamma, self.beta, *moving, False, 0.0, self.epsilon, False)
        elif self.synchronized and distributed.is_available() and distributed.is_initialized():
            outputs = self._normalize_over_devices(values)
        elif values.numel() == values.shape[1]:
            outputs = self._normalize_one(values)
        else:
            outputs = self._normalize_batch(values)
        outputs = outputs if shape is None else outputs.view(shape).movedim(-1, 1)
        return outputs.movedim(1, self.axis)

    def _gamma_for(self, values: torch.Tensor) -> torch.Tensor | None:
        """Ones without a gamma on a GPU: torch's kernel there gives beta's gradient the shape of gamma (2.11)."""
        if self.gamma is None and self.beta is not None and values.device.type != "cpu":
            return torch.ones_like(self.beta, requires_grad=False)
        return self.gamma

    def _normalize_batch(self, values: torch.Tensor) -> torch.Tensor:
        count = values.numel() // values.shape[1]
        # A copy goes to the kernel, which keeps it for the backward pass: our own must be free to change.
        theirs = self.moving_variance.clone()
        share, cudnn = 1.0 - self.momentum, torch.backends.cudnn.enabled
        outputs = torch.batch_norm(
            values, self._gamma_for(values), self.beta, self.moving_mean, theirs, True, share, self.epsilon, cudnn
        )
        # torch moves towards var·N/(N - 1); Keras towards the biased var. Exact: rv·(N - 1)/N + old·momentum/N.
        with torch.no_grad():
            self.moving_variance.mul_(self.momentum / count).add_(theirs, alpha=(count - 1) / count)
        return outputs

    def _normalize_one(self, values: torch.Tensor) -> torch.Tensor:
        """One value a channel, which torch refuses: mean = the value, variance = 0, so the output is beta."""
        self._move(values.detach().reshape(-1), torch.zeros_like(self.moving_variance))
        return self._affine(values - values, torch.ones_like(self.moving_variance) / self.epsilon**0.5)

    def _normalize_over_devices(self, values: torch.Tensor) -> torch.Tensor:
        wide = values.float()
        axes = [axis for axis in range(wide.ndim) if axis != 1]
        count = torch.full((1,), float(wide.numel() // wide.shape[1]), device=wide.device)
        share = 1.0 if self.counts_here else 0.0
        sums = _sum_over_devices(torch.cat([wide.sum(axes), count]) * share)
        mean = sums[:-1] / sums[-1]
        centred = wide - mean.view(1, -1, *(1,) * (wide.ndim - 2))
        variance = _sum_over_devices(centred.square().sum(axes) * share) / sums[-1]  # two passes: no cancellation
        self._move(mean.detach(), variance.detach())
        return self._affine(centred, torch.rsqrt(variance + self.epsilon)).to(values.dtype)

    def _move(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        with torch.no_grad():
            self.moving_mean.lerp_(mean.to(self.moving_mean.dtype), 1.0 - self.momentum)
            self.moving_variance.lerp_(variance.to(self.moving_variance.dtype), 1.0 - self.momentum)

    def _affine(self, centred: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        channelwise = (1, -1, *(1,) * (centred.ndim - 2))
        factor = factor if self.gamma is None else factor * self.gamma
        outputs = centred * factor.view(channelwise)
        return outputs if self.beta is None else outputs + self.beta.view(channelwise)

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise InputError(
                f"Axis {self.axis} is out of bounds for input shape {tuple(input_shape)}. Received: axis={self.axis}"
            )
        return tuple(input_shape)


__all__ = ["BatchNormalization"]
