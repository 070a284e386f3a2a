"""Queries, values and keys (batch, steps, features) in; values weighted by how keys fit queries out.

What small vision transformers are made of. Sources: https://keras.io/api/layers/attention_layers,
Vaswani et al. 2017 (arXiv:1706.03762), Bahdanau et al. 2014 (arXiv:1409.0473).
"""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import as_float, fraction
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.types import Shape
from scene_lightning.layers.regularization import Dropout


def masked_score(dtype: torch.dtype) -> float:
    """What Keras adds to the score of a masked place; in float16, half of the least number, which stays finite."""
    return max(-1e9, torch.finfo(dtype).min / 2)


class Attention(StandardLayer):
    """softmax(query · keyᵀ) · value, of [query, value] or [query, value, key]. Keras: `keras.layers.Attention`.

    Args:
        use_scale: multiply the scores by a learned number.
        score_mode: "dot", or "concat" for w · Σ tanh(query + key).
        dropout: the share of the weights that is dropped in training.
    """

    def __init__(
        self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0, seed: int | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise InputError(f"score_mode is one of 'dot', 'concat'; received {score_mode!r}.")
        self.use_scale, self.score_mode = bool(use_scale), score_mode
        self.dropout, self.seed = fraction(dropout), seed
        self._dropped = Dropout(self.dropout, seed=seed)

    def build(self, input_shape: Any) -> None:
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(name="concat_score_weight", shape=(), initializer="ones")

    def _scores(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """(batch, queries, keys)."""
        if self.score_mode == "dot":
            scores = query @ key.transpose(-2, -1)
            return scores if self.scale is None else scores * self.scale
        both = query.unsqueeze(-2) + key.unsqueeze(-3)
        assert self.concat_score_weight is not None
        return self.concat_score_weight * torch.tanh(both if self.scale is None else self.scale * both).sum(-1)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        if not isinstance(inputs, list | tuple) or not 2 <= len(inputs) <= 3:
            raise InputError(f"{type(self).__name__} is called on [query, value] or [query, value, key].")
        query, value = as_float(inputs[0]), as_float(inputs[1])
        scores = self._scores(query, as_float(inputs[2]) if len(inputs) > 2 else value)
        query_mask, allowed = (mask[0], mask[1]) if mask else (None, None)
        if allowed is not None:
            allowed = torch.as_tensor(allowed).bool().unsqueeze(-2)
        if use_causal_mask:
            causal = _causal(scores)
            allowed = causal if allowed is None else allowed & causal
        if allowed is not None:
            scores = torch.where(allowed, scores, scores + masked_score(scores.dtype))
        weights = torch.softmax(scores, -1)
        outputs = self._dropped(weights, training=training) @ value
        if query_mask is not None:
            outputs = torch.where(torch.as_tensor(query_mask).bool().unsqueeze(-1), outputs, 0.0)
        return (outputs, weights) if return_attention_scores else outputs

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return (*input_shape[0][:-1], input_shape[1][-1])

    def _sublayers(self) -> list[Any]:
        return []  # the dropout has no weights, and Keras has none there


def _causal(scores: torch.Tensor) -> torch.Tensor:
    return torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()


class AdditiveAttention(Attention):
    """Σ scale · tanh(query + key) as the scores (Bahdanau). Keras: `keras.layers.AdditiveAttention`."""

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform")

    def _scores(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        both = torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))
        return (both if self.scale is None else self.scale * both).sum(-1)
