"""Attention of queries on values, by dot products or by sums.

Sources: https://keras.io/api/layers/attention_layers, Vaswani et al. 2017 (arXiv:1706.03762), Bahdanau et al. 2014
(arXiv:1409.0473).
"""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning._settings import as_float
from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import fraction
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.types import Shape
from scene_lightning.layers.regularization import Dropout


def masked_score(dtype: torch.dtype) -> float:
    """What Keras adds to the score of a masked place; in float16, half of the least number, which stays finite.

    Args:
        dtype: dtype of the scores.
    """
    return max(-1e9, torch.finfo(dtype).min / 2)


class Attention(StandardLayer):
    """Give each query the mean of the values, weighted by how their keys fit it.

    weights = softmax(query · keyᵀ), outputs = weights · value. The scores are not divided by sqrt(features). Source:
    Luong et al. 2015 (arXiv:1508.04025).

    Args:
        use_scale: whether the scores are multiplied by a learned number.
        score_mode: "dot", or "concat" for scores of w·Σ tanh(query + key) with a learned number w.
        dropout: share of the weights that are dropped in training, from 0 to 1.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: list [query, value] or [query, value, key]; the key is the value where it is left out. Query (batch,
            queries, features), value (batch, keys, features), key (batch, keys, features).
        mask: list [query_mask, value_mask] of booleans (batch, queries) and (batch, keys), or None: a query whose mask
            is false gives zeros, and a value whose mask is false is not looked at.
        training: whether to drop weights; None: as the model that calls is in training or not.
        return_attention_scores: whether the weights are given, too.
        use_causal_mask: whether query t sees keys up to t alone.

    Output shape:
        (batch, queries, features of the value); with `return_attention_scores` a pair of it and the weights (batch,
        queries, keys).

    Raises:
        InputError: an unknown mode, a share outside 0 to 1, or other inputs than two or three tensors.
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
    """Give each query the mean of the values, weighted by a sum over query and key.

    weights = softmax(Σ scale·tanh(query + key)), outputs = weights · value. Source: Bahdanau et al. 2014
    (arXiv:1409.0473).

    Args:
        use_scale: whether each feature of the sum has a learned factor.
        dropout: share of the weights that are dropped in training, from 0 to 1.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: list [query, value] or [query, value, key]; the key is the value where it is left out. Query (batch,
            queries, features), value (batch, keys, features), key (batch, keys, features).
        mask: list [query_mask, value_mask] of booleans (batch, queries) and (batch, keys), or None: a query whose mask
            is false gives zeros, and a value whose mask is false is not looked at.
        training: whether to drop weights; None: as the model that calls is in training or not.
        return_attention_scores: whether the weights are given, too.
        use_causal_mask: whether query t sees keys up to t alone.

    Output shape:
        (batch, queries, features of the value); with `return_attention_scores` a pair of it and the weights (batch,
        queries, keys).

    Raises:
        InputError: an unknown mode, a share outside 0 to 1, or other inputs than two or three tensors.
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform")

    def _scores(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        both = torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))
        return (both if self.scale is None else self.scale * both).sum(-1)


__all__ = ["AdditiveAttention", "Attention"]
