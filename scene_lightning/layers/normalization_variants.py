"""Normalisation within each sample: over layers, groups of channels, lengths, and of kernels by their spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning import initializers
from scene_lightning._settings import as_float
from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import known_axis, positive_int
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.serialized import deserialize_layer, serialize_layer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import ConstraintLike, InitializerLike, RegularizerLike, Shape, ShapeLike
from scene_lightning.layers.normalization import ScaledAndCentred, single_axis
from scene_lightning.layers.regularization import SameShape


def _axis_list(axis: Any) -> list[int]:
    """The axes as a list, of one or several. Raises InputError for anything else."""
    axes = [axis] if isinstance(axis, int) else list(axis) if isinstance(axis, list | tuple) else []
    if not axes or any(isinstance(a, bool) or not isinstance(a, int) for a in axes):
        raise InputError(f"Expected an int or a list of ints for the argument 'axis'. Received: axis={axis!r}")
    return axes


def _sorted_axes(axes: list[int], shape: Any) -> list[int]:
    for axis in axes:
        known_axis(axis, shape)
    return sorted(axis % len(shape) for axis in axes)


class LayerNormalization(ScaledAndCentred):
    """Give each sample mean 0 and variance 1 along its last axis, then a learned scale and shift.

    gamma·(x - mean) / sqrt(variance + epsilon) + beta; the batch plays no part, so training and inference agree.
    Source: Ba et al. 2016 (arXiv:1607.06450).

    Args:
        axis: the axis that mean and variance go over, or several.
        epsilon: added to the variance, against division by 0.
        center: whether beta is learned and added.
        scale: whether gamma is learned and multiplied by.
        beta_initializer, gamma_initializer: how the first values are made: a name, an object or a function; zeros and
            ones.
        beta_regularizer, gamma_regularizer: penalty on the weight, added to the loss: "l2", an object or a function;
            None: none.
        beta_constraint, gamma_constraint: what is applied to the weight after each training step; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        InputError: an axis that the input does not have, or Keras' `rms_scaling`: use `RMSNormalization`.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        _refuse_rms_scaling(kwargs)
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else _axis_list(axis)
        self.epsilon = float(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self._set_options("beta", beta_initializer, beta_regularizer, beta_constraint)
        self._set_options("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)

    def build(self, input_shape: Any) -> None:
        axes = _sorted_axes(_axis_list(self.axis), input_shape)
        self._add_affine_weights(tuple(input_shape[axis] for axis in axes))

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        values = as_float(inputs)
        axes = _sorted_axes(_axis_list(self.axis), values.shape)
        sides = [values.shape[axis] for axis in axes]
        if axes == list(range(values.ndim - len(axes), values.ndim)):  # the last axes: torch's fused kernel
            return F.layer_norm(values, sides, self.gamma, self.beta, self.epsilon)
        variance, mean = torch.var_mean(values, axes, correction=0, keepdim=True)
        outputs = (values - mean) * torch.rsqrt(variance + self.epsilon)
        shape = [n if axis in axes else 1 for axis, n in enumerate(values.shape)]
        outputs = outputs if self.gamma is None else outputs * self.gamma.view(shape)
        return outputs if self.beta is None else outputs + self.beta.view(shape)


def _refuse_rms_scaling(kwargs: dict[str, Any]) -> None:
    if kwargs.pop("rms_scaling", False):
        raise InputError("LayerNormalization(rms_scaling=True) is deprecated in Keras: use RMSNormalization.")


class RMSNormalization(SameShape):
    """Divide each sample by its root mean square, then multiply by a learned scale.

    scale·x / sqrt(mean(x²) + epsilon). Source: Zhang & Sennrich 2019 (arXiv:1910.07467).

    Args:
        axis: the axis that the mean goes over, or several.
        epsilon: added to the mean square, against division by 0.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        InputError: an axis that the input does not have.
    """

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else _axis_list(axis)
        self.epsilon = float(epsilon)

    def build(self, input_shape: Any) -> None:
        axes = _sorted_axes(_axis_list(self.axis), input_shape)
        self.scale = self.add_weight(name="scale", shape=tuple(input_shape[a] for a in axes), initializer="ones")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        values = as_float(inputs)
        axes = _sorted_axes(_axis_list(self.axis), values.shape)
        shape = [n if axis in axes else 1 for axis, n in enumerate(values.shape)]
        squares = values.square().mean(axes, keepdim=True)
        return values * torch.rsqrt(squares + self.epsilon) * self.scale.view(shape)


class GroupNormalization(ScaledAndCentred):
    """Give each group of channels of a sample mean 0 and variance 1, then a learned scale and shift.

    gamma·(x - mean) / sqrt(variance + epsilon) + beta, with one gamma and beta a channel; the batch plays no part, so
    small batches do no harm. Source: Wu & He 2018 (arXiv:1803.08494).

    Args:
        groups: number of groups, which divides the channels; 1: one for all, as layer normalisation has; -1: one a
            channel, which is instance normalisation.
        axis: the channel axis: -1, or 1 for "channels_first".
        epsilon: added to the variance, against division by 0.
        center: whether beta is learned and added.
        scale: whether gamma is learned and multiplied by.
        beta_initializer, gamma_initializer: how the first values are made: a name, an object or a function; zeros and
            ones.
        beta_regularizer, gamma_regularizer: penalty on the weight, added to the loss: "l2", an object or a function;
            None: none.
        beta_constraint, gamma_constraint: what is applied to the weight after each training step; None: nothing.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        InputError: channels that `groups` does not divide.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = groups if groups == -1 else positive_int(groups, "groups")
        self.axis = single_axis(axis)
        self.epsilon = float(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self._set_options("beta", beta_initializer, beta_regularizer, beta_constraint)
        self._set_options("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)

    def build(self, input_shape: Any) -> None:
        depth = known_axis(self.axis, input_shape)
        self.groups = depth if self.groups == -1 else self.groups
        if depth % self.groups:
            raise InputError(
                f"Number of groups ({self.groups}) must divide the number of channels ({depth}), and cannot be more."
            )
        self._add_affine_weights((depth,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: depth})

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        values = as_float(inputs).movedim(self.axis, 1)
        if values.shape[1] // self.groups * values.shape[2:].numel() == 1:  # only beta: torch leaves rounding
            outputs = values - values
            for weight, apply in ((self.gamma, torch.mul), (self.beta, torch.add)):
                outputs = outputs if weight is None else apply(outputs, weight.view(-1, *[1] * (values.ndim - 2)))
            return outputs.movedim(1, self.axis)
        return torch.group_norm(values, self.groups, self.gamma, self.beta, self.epsilon).movedim(1, self.axis)


class UnitNormalization(SameShape):
    """Divide each sample by its length, so that the sum of its squares is 1.

    Args:
        axis: the axis along which the length is taken, or several.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        InputError: something that is no axis.
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else _axis_list(axis)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        values = as_float(inputs)
        squares = values.square().sum(_axis_list(self.axis), keepdim=True)
        return values * torch.rsqrt(squares.clamp_min(1e-12))


class SpectralNormalization(Layer):
    """Divide a layer's kernel by its largest singular value before each training step.

    It bounds how much the layer can enlarge a change of its inputs; discriminators are trained so. The singular value
    is estimated by the power method. Source: Miyato et al. 2018 (arXiv:1802.05957).

    Args:
        layer: layer with a `kernel` or `embeddings`, which becomes a part of this one.
        power_iterations: steps of the power method before each training step.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: what `layer` takes.
        training: whether to normalise first; None: as the model that calls is in training or not.

    Output shape:
        That of `layer`.

    Raises:
        InputError: a layer without kernel.
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer if isinstance(layer, Layer) else deserialize_layer(layer)
        self.power_iterations = positive_int(power_iterations, "power_iterations")

    def build(self, input_shape: Any) -> None:
        if not self.layer.built:
            self.layer._build_once(input_shape)
        if self._kernel() is None:
            raise InputError(f"{type(self.layer).__name__} object has no attribute 'kernel' nor 'embeddings'")
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, self._kernel().shape[-1]),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
        )
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})

    @property
    def weights(self) -> list[torch.Tensor]:
        """Kernel, vector, and what else the layer has: Keras' order."""
        first = [self._kernel(), self.vector_u] if self.built else []
        return first + [w for w in self.layer.weights if not first or w is not first[0]]

    def _kernel(self) -> Any:
        return getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        if training:
            with torch.no_grad():
                self._normalize_kernel()
        return self.layer(inputs)

    def _normalize_kernel(self) -> None:
        kernel = self._kernel()
        matrix = kernel.reshape(-1, kernel.shape[-1])
        some = matrix.any()  # a kernel of zeros stays; looked at where it is, as a GPU would otherwise be waited for
        u: torch.Tensor = self.vector_u
        for _ in range(self.power_iterations):
            v = _unit(u @ matrix.t())
            u = _unit(v @ matrix)
        self.vector_u.copy_(torch.where(some, u, self.vector_u))
        kernel.div_(torch.where(some, (v @ matrix @ u.t()).reshape(()), 1.0))

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize_layer(self.layer), "power_iterations": self.power_iterations}


def _unit(vector: torch.Tensor) -> torch.Tensor:
    return vector / vector.square().sum().clamp_min(1e-12).sqrt()


__all__ = [
    "GroupNormalization", "LayerNormalization", "RMSNormalization", "SpectralNormalization", "UnitNormalization",
]  # fmt: skip
