"""Layers that turn names or numbers into positions in a vocabulary, and back.

They look up on the CPU, outside the network: before it, or in `Dataset.map`. Source: keras/src/layers/preprocessing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.utils.dataset import Dataset
from scene_lightning.utils.index_lookup import IndexLookup
from scene_lightning.utils.text import string, strings


class StringLookup(IndexLookup):
    """Turn strings into their positions in a vocabulary, or back.

    Position 0 (1 where there is a mask token) is for what the vocabulary does not have.

    Args:
        max_tokens: largest size of the vocabulary, special tokens included, for `adapt` and `pad_to_max_tokens`; None:
            no limit.
        num_oov_indices: number of positions for tokens that are not in the vocabulary: 1, or 0 to make them an error.
            Keras takes more and spreads tokens over them by a hash.
        mask_token: token that means "missing": it gets position 0, and counts as nothing in vectors; None: there is
            none.
        oov_token: what `invert` gives for a position that no token has.
        vocabulary: the tokens in order, or the path of a text file with one a line; None: `adapt(data)` learns them.
        idf_weights: weight of each token, for "tf_idf" with a given vocabulary; otherwise `adapt` learns it.
        invert: whether positions are turned into tokens instead.
        output_mode: "int": positions; "one_hot", "multi_hot", "count": vectors, as in `CategoryEncoding`; "tf_idf":
            counts times `idf_weights`.
        pad_to_max_tokens: whether vectors have `max_tokens` entries, whatever the vocabulary's size.
        sparse: must be false: tensors are dense here.
        encoding: how bytes are read as text.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: a string, a list or an array of them; with `invert` whole numbers.

    Output shape:
        That of the input for "int"; else vectors with one entry a token of the vocabulary.

    Raises:
        InputError: arguments that do not go together, a call before there is a vocabulary, or a token that has no
            position.
        UnsupportedError: `num_oov_indices` above 1; a call on a symbolic tensor: look up before the network, on arrays
            or in `Dataset.map`.
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Sequence[str] | np.ndarray | str | Path | None = None,
        idf_weights: Sequence[float] | np.ndarray | None = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        **kwargs: Any,
    ) -> None:
        if num_oov_indices > 1:
            raise UnsupportedError("StringLookup(num_oov_indices=2) and more need TensorFlow's hash: use 1.")
        self.__dict__["encoding"] = encoding
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, sparse, **kwargs,
        )  # fmt: skip

    def _keys(self, values: Any) -> tuple[list[str], tuple[int, ...]]:
        if isinstance(values, Dataset):
            raise InputError("Look up each element: dataset.map(lookup).")
        if isinstance(values, str | bytes):
            return [self._text(values)], ()
        array = np.asarray(values, dtype=object)
        return [self._text(value) for value in array.ravel()], array.shape

    def _text(self, value: Any) -> str:
        return value.decode(str(self.encoding)) if isinstance(value, bytes) else str(value)

    def _as_output(self, tokens: list[Any], shape: tuple[int, ...]) -> Any:
        return strings(np.array(tokens).reshape(shape)) if shape else string(tokens[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "encoding": self.encoding}


class IntegerLookup(IndexLookup):
    """Turn whole numbers into their positions in a vocabulary, or back.

    Position 0 (1 where there is a mask token) is for what the vocabulary does not have.

    Args:
        max_tokens: largest size of the vocabulary, special tokens included, for `adapt` and `pad_to_max_tokens`; None:
            no limit.
        num_oov_indices: number of positions for numbers that are not in the vocabulary; with several, a number goes to
            its remainder; 0 makes them an error.
        mask_token: token that means "missing": it gets position 0, and counts as nothing in vectors; None: there is
            none.
        oov_token: what `invert` gives for a position that no token has.
        vocabulary: the tokens in order, or the path of a text file with one a line; None: `adapt(data)` learns them.
        vocabulary_dtype: must be "int64".
        idf_weights: weight of each token, for "tf_idf" with a given vocabulary; otherwise `adapt` learns it.
        invert: whether positions are turned into tokens instead.
        output_mode: "int": positions; "one_hot", "multi_hot", "count": vectors, as in `CategoryEncoding`; "tf_idf":
            counts times `idf_weights`.
        sparse: must be false: tensors are dense here.
        pad_to_max_tokens: whether vectors have `max_tokens` entries, whatever the vocabulary's size.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: a number, a list, an array or a tensor of them; with `invert` positions.

    Output shape:
        That of the input for "int"; else vectors with one entry a token of the vocabulary.

    Raises:
        InputError: arguments that do not go together, a call before there is a vocabulary, or a token that has no
            position.
        UnsupportedError: a call on a symbolic tensor: look up before the network, on arrays or in `Dataset.map`.
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Sequence[int] | np.ndarray | str | Path | None = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Sequence[float] | np.ndarray | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        **kwargs: Any,
    ) -> None:
        if vocabulary_dtype != "int64":
            raise InputError(f"Only vocabulary_dtype='int64' is supported; received {vocabulary_dtype!r}.")
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, sparse, **kwargs,
        )  # fmt: skip

    def _keys(self, values: Any) -> tuple[list[int], tuple[int, ...]]:
        array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
        return [int(value) for value in array.ravel()], array.shape

    def _as_output(self, tokens: list[Any], shape: tuple[int, ...]) -> torch.Tensor:
        return torch.tensor(tokens, dtype=torch.int64).reshape(shape)
