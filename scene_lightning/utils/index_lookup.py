"""The base of lookup layers: a vocabulary, its special tokens, and the forms of the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.arguments import one_of
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.symbolic import is_symbolic
from scene_lightning.layers.encoding import MODES, encoded

_DROPPED = -1  # stands for the mask in vectors: no class


class IndexLookup(Layer):
    """The base of `StringLookup` and `IntegerLookup`, which hold what the arguments mean.

    Args:
        max_tokens: the most positions, special tokens included; None for no limit.
        num_oov_indices: how many positions unknown tokens share.
        mask_token: the token that stands for nothing; None for none.
        oov_token: what an unknown position gives with `invert`.
        vocabulary: the tokens, or the path of a file with one a line; None to learn them with `adapt`.
        idf_weights: weight of each token, for "tf_idf".
        invert: positions → tokens.
        output_mode: "int", "one_hot", "multi_hot", "count" or "tf_idf".
        pad_to_max_tokens: make vectors `max_tokens` long.
        sparse: must be False.
        **kwargs: name, dtype and trainable, as for `Layer`.
    """

    _random_when_called_bare = False

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        **kwargs: Any,
    ) -> None:
        for unused in ("vocabulary_size", "has_input_vocabulary", "vocabulary_dtype", "salt", "oov_method"):
            kwargs.pop(unused, None)
        super().__init__(**kwargs)
        mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        self.output_mode = one_of(mode, ("int", *MODES, "tf_idf"), "output_mode", type(self).__name__)
        if max_tokens is not None and max_tokens <= 1:
            raise InputError(f"If set, max_tokens must be greater than 1; received {max_tokens}.")
        if pad_to_max_tokens and max_tokens is None:
            raise InputError("pad_to_max_tokens=True needs max_tokens.")
        if num_oov_indices < 0:
            raise InputError(f"num_oov_indices must be at least 0; received {num_oov_indices}.")
        if invert and mode != "int":
            raise InputError(f"output_mode must be 'int' when invert is true; received {output_mode!r}.")
        if sparse:
            raise InputError(f"{type(self).__name__}(sparse=True) is not supported: tensors here are dense.")
        if (idf_weights is not None) != (mode == "tf_idf" and vocabulary is not None):
            raise InputError("idf_weights go with a vocabulary and output_mode='tf_idf', and only with these.")
        self.max_tokens, self.num_oov_indices, self.invert = max_tokens, num_oov_indices, bool(invert)
        self.mask_token, self.oov_token, self.pad_to_max_tokens = mask_token, oov_token, bool(pad_to_max_tokens)
        self._given = vocabulary is not None
        self._tokens: list[Any] = []
        self._position: dict[Any, int] = {}
        self._weights: np.ndarray | None = None
        self.built = True
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """From `get_config`. Raises InputError for a config that names a file to read."""
        if isinstance(config.get("vocabulary"), str):
            raise InputError(f"A config may not name a file to read; its vocabulary is {config['vocabulary']!r:.80}.")
        return cls(**config)

    # -- vocabulary ------------------------------------------------------------------------------------------------

    @property
    def _first_oov(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _first_token(self) -> int:
        return self._first_oov + self.num_oov_indices

    def _special(self) -> list[Any]:
        mask = [self.mask_token] if self._first_oov else []
        return [*mask, *[self.oov_token] * self.num_oov_indices]

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take these tokens, in their order; special ones may stand in front.

        Args:
            vocabulary: the tokens, or the path of a text file with one a line.
            idf_weights: weight of each token, for "tf_idf"; None: none.

        Raises:
            InputError: a token twice, a special token elsewhere, more than `max_tokens`, or none.
        """
        if isinstance(vocabulary, str | Path):
            vocabulary = Path(vocabulary).read_text(encoding="utf-8").splitlines()
        tokens, _ = self._keys(vocabulary)
        special, weights = self._special(), None if idf_weights is None else np.asarray(idf_weights, np.float32)
        with_special = bool(special) and tokens[: len(special)] == special
        tokens = tokens[len(special) :] if with_special else tokens
        if not tokens:
            raise InputError("Cannot set an empty vocabulary; expected at least one token beside the special ones.")
        twice = [token for token, count in Counter(tokens).items() if count > 1]
        if twice:
            raise InputError(f"The vocabulary has a token more than once: {twice[:5]}.")
        reserved = [self.mask_token, *([self.oov_token] if self.invert else [])]
        wrong = [token for token in reserved if token is not None and token in tokens]
        if wrong:
            raise InputError(f"The special token {wrong[0]!r} may only stand at the start: {special}, or be left out.")
        if self.max_tokens is not None and self._first_token + len(tokens) > self.max_tokens:
            raise InputError(
                f"The vocabulary has {self._first_token + len(tokens)} tokens, special ones included; max_tokens is "
                f"{self.max_tokens}."
            )
        if weights is not None:
            if len(weights) != len(tokens) + (len(special) if with_special else 0):
                raise InputError(f"idf_weights must be one a token; received {len(weights)} for {len(tokens)} tokens.")
            if not with_special:
                weights = np.concatenate([np.full(self._first_token, weights.mean(), np.float32), weights])
        self._take(tokens, weights)

    def _take(self, tokens: list[Any], weights: np.ndarray | None) -> None:
        self._tokens = tokens
        self._position = {token: number for number, token in enumerate(tokens, start=self._first_token)}
        self._weights = weights

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Give the tokens in the order of their positions.

        Args:
            include_special_tokens: whether mask and out-of-vocabulary tokens are given, too.
        """
        return [*(self._special() if include_special_tokens else []), *self._tokens]

    def vocabulary_size(self) -> int:
        """How many tokens there are, special ones included."""
        return self._first_token + len(self._tokens)

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: the commonest tokens first, of equals the last in order first, as in Keras.

        Args:
            data: an array or list of tokens, or batches of them (a dataset).
            steps: number of batches to take; None: all.

        Raises:
            InputError: a vocabulary was given.
        """
        if self._given:
            raise InputError(f"Cannot adapt layer {self.name!r} after setting a static vocabulary.")
        counts: Counter[Any] = Counter()
        documents: Counter[Any] = Counter()
        rows = 0
        for tokens, shape in self._documents(data, steps):
            counts.update(tokens)
            width = shape[-1] if len(shape) > 1 else len(tokens)
            for start in range(0, len(tokens), max(1, width)):
                documents.update(set(tokens[start : start + width]))
                rows += 1
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        ordered = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        if self.max_tokens is not None:
            ordered = ordered[: self.max_tokens - self._first_token]
        weights = None
        if self.output_mode == "tf_idf" and ordered:
            own = np.array([np.log(1 + rows / (1 + documents[token])) for token in ordered], np.float32)
            weights = np.concatenate([np.full(self._first_token, own.mean(), np.float32), own])
        self._take(ordered, weights)

    def _documents(self, data: Any, steps: int | None) -> Iterator[tuple[list[Any], tuple[int, ...]]]:
        if isinstance(data, list | tuple | np.ndarray | torch.Tensor):
            keys, shape = self._keys(data)
            yield keys, (*shape, 1) if len(shape) == 1 else shape
            return
        for number, batch in enumerate(data):
            if steps is not None and number >= steps:
                return
            yield self._keys(batch)

    # -- looking up ------------------------------------------------------------------------------------------------

    def _keys(self, values: Any) -> tuple[list[Any], tuple[int, ...]]:
        """Tokens of any form → a flat list of Python's own, and the shape."""
        raise NotImplementedError

    def _as_output(self, tokens: list[Any], shape: tuple[int, ...]) -> Any:
        """Tokens → what `invert` gives."""
        raise NotImplementedError

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Look up; in a network's graph, where tensors are numbers, an UnsupportedError says where to do it."""
        if is_symbolic(args) or is_symbolic(kwargs):
            raise UnsupportedError(
                f"{type(self).__name__} cannot be a part of a network here: look up before it, on arrays or in "
                "Dataset.map(lambda x, y: (x, lookup(y)))."
            )
        return self.call(*args, **kwargs)

    def call(self, inputs: Any) -> Any:
        if not self._tokens:
            raise InputError(f"{type(self).__name__} has no vocabulary yet: give vocabulary=, or call adapt(data).")
        if self.invert:
            return self._inverted(inputs)
        keys, shape = self._keys(inputs)
        numbers = torch.tensor(self._positions(keys), dtype=torch.int64).reshape(shape)
        if self.output_mode == "int":
            return numbers
        depth = self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()
        if self.output_mode != "tf_idf":
            return encoded(numbers, self.output_mode, depth)
        assert self._weights is not None
        weights = torch.zeros(depth)
        weights[: len(self._weights)] = torch.from_numpy(self._weights)
        return encoded(numbers, "count", depth) * weights

    def _positions(self, keys: list[Any]) -> list[int]:
        masked = 0 if self.output_mode == "int" else _DROPPED
        positions, unknown = [], []
        for key in keys:
            if self.mask_token is not None and key == self.mask_token:
                positions.append(masked)
            elif key in self._position:
                positions.append(self._position[key])
            else:
                unknown.append(key)
                positions.append(self._first_oov + self._oov(key))
        if unknown and self.num_oov_indices == 0:
            raise InputError(
                f"When num_oov_indices=0 all inputs should be in vocabulary, found OOV values {unknown[:5]}, consider "
                "setting num_oov_indices=1."
            )
        return positions

    def _oov(self, key: Any) -> int:
        return 0 if self.num_oov_indices <= 1 else int(key) % self.num_oov_indices

    def _inverted(self, inputs: Any) -> Any:
        numbers = torch.as_tensor(np.asarray(inputs) if not isinstance(inputs, torch.Tensor) else inputs)
        vocabulary = dict(enumerate(self._tokens, start=self._first_token))
        if self._first_oov:
            vocabulary[0] = self.mask_token
        tokens = [vocabulary.get(int(number), self.oov_token) for number in numbers.reshape(-1).tolist()]
        return self._as_output(tokens, tuple(numbers.shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = tuple(input_shape)
        if self.output_mode == "int":
            return shape
        depth = self.max_tokens if self.pad_to_max_tokens else self.vocabulary_size()
        if self.output_mode == "one_hot" and not (len(shape) > 1 and shape[-1] == 1):
            return (*shape, depth)
        return (*shape[:-1], depth)

    def get_config(self) -> dict[str, Any]:
        """All that makes the layer again, a learnt vocabulary included."""
        weights = None if self._weights is None else self._weights[self._first_token :].tolist()
        return {
            **super().get_config(), "max_tokens": self.max_tokens, "num_oov_indices": self.num_oov_indices,
            "mask_token": self.mask_token, "oov_token": self.oov_token, "vocabulary": list(self._tokens) or None,
            "idf_weights": weights, "invert": self.invert, "output_mode": self.output_mode,
            "pad_to_max_tokens": self.pad_to_max_tokens, "sparse": False,
        }  # fmt: skip
