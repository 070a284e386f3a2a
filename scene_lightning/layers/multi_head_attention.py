"""Multi-head attention, what vision transformers are made of."""

from __future__ import annotations

import inspect
import math
import string
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from scene_lightning import constraints, initializers, regularizers
from scene_lightning.errors import InputError
from scene_lightning.layers.attention import masked_score
from scene_lightning.layers.base.arguments import fraction, positive_int
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.types import ActivationLike, ConstraintLike, InitializerLike, RegularizerLike, Shape
from scene_lightning.layers.einsum import EinsumDense
from scene_lightning.layers.regularization import Dropout


class MultiHeadAttention(StandardLayer):
    """Let queries attend to values by several heads side by side.

    Each head projects query, key and value by kernels of its own and computes softmax(query · keyᵀ / sqrt(key_dim)) ·
    value; the heads' outputs are joined by another projection. With query = value this is self-attention. Source:
    Vaswani et al. 2017 (arXiv:1706.03762).

    Args:
        num_heads: number of heads.
        key_dim: features of each head's queries and keys.
        value_dim: features of each head's values; None: `key_dim`.
        dropout: share of the weights that are dropped in training, from 0 to 1.
        use_bias: whether the projections have biases.
        output_shape: features of the outputs; None: those of the query.
        attention_axes: axes of the inputs that attend; None: all but the first and the last.
        sliding_window: each place sees those less than this far away alone; None: all.
        flash_attention: not looked at: torch picks the fastest kernel that fits.
        kernel_initializer, bias_initializer: how the first values are made: a name, an object or a function; by default
            Glorot uniform for the kernel and zeros for the bias.
        kernel_regularizer, bias_regularizer: penalty on the weight, added to the loss: "l2", an object or a function;
            None: none.
        activity_regularizer: penalty on the outputs of each projection, divided by the batch size; None: none.
        kernel_constraint, bias_constraint: what is applied to the weight after each training step: "non_neg", an object
            or a function; None: nothing.
        use_gate: whether the heads' outputs are multiplied by a sigmoid of a projection of the query.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        query: tensor (batch, queries, features).
        value: tensor (batch, keys, features).
        key: tensor (batch, keys, features); None: `value`.
        query_mask, value_mask, key_mask: booleans (batch, queries) or (batch, keys): where false, a place is left out.
        attention_mask: booleans (batch, queries, keys): where false, the query does not see the key.
        return_attention_scores: whether the weights are given, too.
        training: whether to drop weights; None: as the model that calls is in training or not.
        use_causal_mask: whether query t sees keys up to t alone.

    Output shape:
        (batch, queries, features); with `return_attention_scores` a pair of it and the weights (batch, heads, queries,
        keys).

    Raises:
        InputError: impossible values, or value and key of different lengths.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)  # the activity regularizer is the projections', as in Keras
        self.num_heads, self.key_dim = positive_int(num_heads, "num_heads"), positive_int(key_dim, "key_dim")
        self.value_dim = positive_int(value_dim, "value_dim") if value_dim else self.key_dim
        self.dropout, self.seed, self.use_bias, self.use_gate = fraction(dropout), seed, bool(use_bias), bool(use_gate)
        self._features = None if not output_shape else _as_tuple(output_shape)
        self.attention_axes = None if attention_axes is None else _as_tuple(attention_axes)
        self.sliding_window = None if sliding_window is None else positive_int(sliding_window, "sliding_window")
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self._activity = regularizers.get(activity_regularizer)

    # -- weights ---------------------------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        named = dict(inspect.signature(self.call).bind(*args, **kwargs).arguments)
        if not self.built:
            inputs = (named.get(name) for name in ("query", "value", "key"))
            self._build_once([None if tensor is None else tuple(tensor.shape) for tensor in inputs])
        return super().forward(named.pop("query"), named.pop("value"), **named)

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        if isinstance(query_shape[0], list | tuple):
            query_shape, value_shape, key_shape = [*query_shape, None][:3]
        value_shape = value_shape or query_shape
        key_shape = key_shape or value_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise InputError(
                "All dimensions of `value` and `key`, except the last one, must be equal. Received: "
                f"value_shape={value_shape} and key_shape={key_shape}"
            )
        self.query_dense = self._to_heads(query_shape, self.key_dim, "query")
        self.key_dense = self._to_heads(key_shape, self.key_dim, "key")
        if self.use_gate:
            self._gate_dense = self._to_heads(query_shape, self.value_dim, "gate", "sigmoid")
        self.value_dense = self._to_heads(value_shape, self.value_dim, "value")
        rank = len(value_shape) + 1
        chosen = self.attention_axes or tuple(range(1, rank - 2))
        self.attention_axes = tuple(axis if axis >= 0 else rank - 1 + axis for axis in chosen)
        self._score_equation, self._combine_equation = _equations(rank, self.attention_axes)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed)
        self.output_dense = self._from_heads(query_shape)

    def _common(self) -> dict[str, Any]:
        fresh = {
            name: type(init).from_config(init.get_config())
            for name in ("kernel_initializer", "bias_initializer")
            for init in [getattr(self, name)]
        }
        return {
            **fresh,
            "kernel_regularizer": self.kernel_regularizer, "bias_regularizer": self.bias_regularizer,
            "activity_regularizer": self._activity,
            "kernel_constraint": self.kernel_constraint, "bias_constraint": self.bias_constraint,
            "dtype": self._explicit_dtype,
        }  # fmt: skip

    def _to_heads(self, shape: Any, features: int, name: str, activation: ActivationLike = None) -> EinsumDense:
        free = string.ascii_lowercase[: len(shape) - 1]
        layer = EinsumDense(
            f"{free}x,xyz->{free}yz", (*(None,) * (len(free) - 1), self.num_heads, features), activation,
            "yz" if self.use_bias else None, name=name, **self._common(),
        )  # fmt: skip
        layer._build_once(tuple(shape))
        return layer

    def _from_heads(self, query_shape: Any) -> EinsumDense:
        free = string.ascii_lowercase[: len(query_shape) - 1]
        features = self._features or (query_shape[-1],)
        made = string.ascii_lowercase[len(free) : len(free) + len(features)]
        layer = EinsumDense(
            f"{free}yz,yz{made}->{free}{made}", (*(None,) * (len(free) - 1), *features),
            bias_axes=made if self.use_bias else None, name="attention_output", **self._common(),
        )  # fmt: skip
        layer._build_once((*query_shape[:-1], self.num_heads, self.value_dim))
        return layer

    # -- computation -----------------------------------------------------------------------------------------------

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        key = value if key is None else key
        mask = self._mask(query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask)
        gate = self._gate_dense(query) if self.use_gate else None
        outputs, scores = self._compute_attention(
            self.query_dense(query), self.key_dense(key), self.value_dense(value), mask, training,
            return_attention_scores,
        )  # fmt: skip
        outputs = self.output_dense(outputs if gate is None else outputs * gate)
        return (outputs, scores) if return_attention_scores else outputs

    def _mask(
        self, query: Any, value: Any, query_mask: Any, value_mask: Any, key_mask: Any, given: Any, causal: bool
    ) -> torch.Tensor | None:
        """All masks in one, true where attention is allowed: (batch or 1, T, S)."""
        masks = [] if given is None else [torch.as_tensor(given).bool()]
        if query_mask is not None:
            masks.append(torch.as_tensor(query_mask).bool().unsqueeze(-1))
        masks += [torch.as_tensor(m).bool().unsqueeze(-2) for m in (value_mask, key_mask) if m is not None]
        steps = torch.arange(query.shape[1], device=query.device).unsqueeze(1)
        others = torch.arange(value.shape[1], device=query.device).unsqueeze(0)
        if causal:
            masks.append((steps >= others).unsqueeze(0))
        if self.sliding_window is not None:
            masks.append(((steps - others).abs() < self.sliding_window).unsqueeze(0))
        merged: torch.Tensor | None = None
        for mask in masks:
            merged = mask.to(query.device) if merged is None else merged & mask.to(query.device)
        return merged

    def _compute_attention(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The heads' outputs (batch, T, heads, value_dim), and the weights when they are asked for."""
        drops = bool(training) and self.dropout > 0
        mask = attention_mask
        if mask is not None:
            rank = query.ndim - 1 + len(self.attention_axes or ())  # batch and free axes, heads, T, S
            while mask.ndim < rank:
                mask = mask.unsqueeze(-2 * len(self.attention_axes or ()) - 1)
        if query.ndim == 4 and not drops and not return_attention_scores:
            heads = [tensor.transpose(1, 2) for tensor in (query, key, value)]
            # as numbers: of a query whose places are all masked, a mask of booleans would make zeros, not their mean
            added = None if mask is None else torch.where(mask, 0.0, masked_score(query.dtype)).to(query.dtype)
            outputs = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], attn_mask=added)
            return outputs.transpose(1, 2), None
        scores = torch.einsum(self._score_equation, key, query / math.sqrt(self.key_dim))
        if mask is not None:
            scores = torch.where(mask, scores, scores + masked_score(scores.dtype))
        axes = len(self.attention_axes or ())
        weights = torch.softmax(scores.flatten(-axes), -1).reshape(scores.shape)
        if mask is not None:  # a query whose places are all masked attends to none
            weights = torch.where(mask, weights, 0.0)
        return torch.einsum(self._combine_equation, self._dropout_layer(weights, training=training), value), weights

    def compute_output_shape(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> Shape:
        if isinstance(query_shape[0], list | tuple):
            query_shape = query_shape[0]
        return (*query_shape[:-1], *(self._features or (query_shape[-1],)))

    def _sublayers(self) -> list[Any]:
        return [layer for layer in super()._sublayers() if isinstance(layer, EinsumDense)]

    def get_config(self) -> dict[str, Any]:
        config = {
            **Layer.get_config(self), "num_heads": self.num_heads, "key_dim": self.key_dim,
            "value_dim": self.value_dim, "dropout": self.dropout, "use_bias": self.use_bias, "use_gate": self.use_gate,
            "output_shape": self._features, "attention_axes": self.attention_axes,
            "sliding_window": self.sliding_window, "seed": self.seed,
            "activity_regularizer": regularizers.serialize(self._activity) if self._activity else None,
        }  # fmt: skip
        for kind, serialize in (
            ("initializer", initializers.serialize), ("regularizer", regularizers.serialize),
            ("constraint", constraints.serialize),
        ):  # fmt: skip
            for weight in ("kernel", "bias"):
                value = getattr(self, f"{weight}_{kind}")
                config[f"{weight}_{kind}"] = None if value is None else serialize(value)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in config.items()}


def _as_tuple(value: Any) -> tuple[int, ...]:
    return (int(value),) if isinstance(value, int) else tuple(int(side) for side in value)


def _equations(rank: int, attention_axes: tuple[int, ...]) -> tuple[str, str]:
    """The einsums for scores and for their use on values, of projected tensors of this rank."""
    target = string.ascii_lowercase[:rank]
    free = [axis for axis in range(rank - 1) if axis not in attention_axes]
    source = "".join(
        target[axis] if axis in free or axis == rank - 1 else string.ascii_lowercase[rank + axis]
        for axis in range(rank)
    )
    scores = "".join([
        *(target[axis] for axis in free), *(target[axis] for axis in attention_axes),
        *(source[axis] for axis in attention_axes),
    ])  # fmt: skip
    return f"{source},{target}->{scores}", f"{scores},{source}->{target}"


__all__ = ["MultiHeadAttention"]
