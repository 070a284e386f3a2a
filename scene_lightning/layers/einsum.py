"""A dense layer over any axes of its inputs, written as an einsum equation."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning import activations
from scene_lightning._settings import as_float
from scene_lightning.errors import InputError
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.types import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    ShapeLike,
)
from scene_lightning.layers.core import refuse


class EinsumDense(StandardLayer):
    """Multiply by a learned kernel along the axes that an equation names.

    outputs = activation(einsum(equation, inputs, kernel) + bias). `Dense` is "...x,xy->...y".

    Args:
        equation: einsum of inputs and kernel, such as "abc,cd->abd"; "..." stands for any axes before or after the
            others.
        output_shape: sides of the output without the batch axis (or what "..." stands for); None where they are the
            input's.
        activation: name ("relu"), function or layer that is applied to the outputs; None: none.
        bias_axes: letters of the output's axes along which the bias differs, e.g. "d"; None: no bias.
        kernel_initializer, bias_initializer: how the first values are made: a name, an object or a function; by default
            Glorot uniform for the kernel and zeros for the bias.
        kernel_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2", an object or a function;
            None: none.
        kernel_constraint, bias_constraint: what is applied to the weight after each training step: "non_neg", an object
            or a function; None: nothing.
        **kwargs: name, dtype, trainable and activity_regularizer, as for `Layer`.

    Input shape:
        What the equation says.

    Output shape:
        What the equation and `output_shape` say.

    Raises:
        InputError: an equation that is none, or that does not fit the input.
        UnsupportedError: Keras' `lora_rank` and `quantization_config`.
    """

    def __init__(
        self,
        equation: str,
        output_shape: int | ShapeLike,
        activation: ActivationLike = None,
        bias_axes: str | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        refuse(kwargs, "quantization_config", "lora_rank")
        super().__init__(**kwargs)
        self.equation = equation.replace(" ", "")
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)

    def _sides(self, input_shape: Any) -> tuple[str, dict[str, int | None], Shape]:
        """(the kernel's letters, the side of each letter, the output's shape) for an input's shape."""
        left, arrow, output = self.equation.partition("->")
        source, comma, kernel = left.partition(",")
        if not arrow or not comma:
            raise InputError(f"Invalid einsum equation {self.equation!r}. Expected a form such as 'ab,bc->ac'.")
        named = source.replace("...", "")
        if len(named) > len(input_shape) or ("..." not in source and len(named) != len(input_shape)):
            raise InputError(f"The equation {self.equation!r} does not fit an input of shape {tuple(input_shape)}.")
        if source.endswith("..."):
            axes, free = input_shape[: len(named)], tuple(input_shape[len(named) :])
        else:
            axes = input_shape[len(input_shape) - len(named) :]
            free = tuple(input_shape[: len(input_shape) - len(named)])
        sides: dict[str, int | None] = dict(zip(named, axes, strict=True))
        letters = output.replace("...", "")
        given = self.partial_output_shape[-len(letters) :] if letters else ()
        named_sides = letters[len(letters) - len(given) :] if not output.endswith("...") else letters
        if output.endswith("..."):  # the batch axis is the first letter, which no output_shape names
            given = (None, *self.partial_output_shape)[: len(letters)]
        for letter, side in zip(named_sides, given, strict=True):
            known = sides.get(letter)
            if side is not None and known is not None and known != side:
                raise InputError(
                    f"Input shape and output shape do not match at shared dimension '{letter}'. Input shape is "
                    f"{known}, and output shape is {side}."
                )
            sides[letter] = known if side is None else side
        unknown = [letter for letter in (*letters, *kernel) if letter not in sides]
        if unknown:
            raise InputError(f"The sides of {unknown} in {self.equation!r} follow neither from input nor from output.")
        result = tuple(sides[letter] for letter in letters)
        return kernel, sides, (*result, *free) if output.endswith("...") else (*free, *result)

    def build(self, input_shape: ShapeLike) -> None:
        letters, sides, output_shape = self._sides(tuple(input_shape))
        self.kernel = self._add_named_weight("kernel", tuple(sides[letter] for letter in letters))
        has_bias = self.bias_axes is not None
        self.bias = self._add_named_weight("bias", self._bias_shape(output_shape)) if has_bias else None

    def _bias_shape(self, output_shape: Shape) -> Shape:
        output = self.equation.partition("->")[2]
        letters, bias_axes = output.replace("...", ""), str(self.bias_axes)
        wrong = [letter for letter in bias_axes if letter not in letters]
        if wrong:
            raise InputError(f"Bias dimension {wrong} was requested, but is not part of the output {output!r}.")
        own = self.partial_output_shape
        named_sides = letters[1:] if output.endswith("...") else letters[max(0, len(letters) - len(own)) :]
        unknown = [
            letter for letter, side in zip(named_sides, own, strict=False) if side is None and letter in bias_axes
        ]
        if unknown:  # Keras takes the bias's sides from output_shape alone
            raise InputError(f"The bias differs along {unknown}, whose side output_shape={own} leaves open. Give it.")
        sides = output_shape[: len(letters)] if output.endswith("...") else output_shape[-len(letters) :]
        free = len(output_shape) - len(letters)
        shape = [side if letter in bias_axes else 1 for letter, side in zip(letters, sides, strict=True)]
        shape += [1] * free if output.endswith("...") else []
        first = min(letters.index(letter) for letter in bias_axes)
        return tuple(shape[first:])

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs = torch.einsum(self.equation, as_float(inputs), self.kernel)
        return self.activation(outputs if self.bias is None else outputs + self.bias)

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return self._sides(tuple(input_shape))[2]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_shape": list(self.partial_output_shape)}

    @property
    def output_shape(self) -> Any:
        """The shape of `output`; before the first call on a symbolic tensor, what the constructor was given."""
        return super().output_shape if self._inbound_nodes else self.partial_output_shape


__all__ = ["EinsumDense"]
