"""`StringLookup`, `IntegerLookup`: the examples of Keras' documentation, with their numbers; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.utils.dataset import Dataset

LETTERS = ["a", "b", "c", "d"]
WORDS = [["a", "c", "d"], ["d", "z", "b"]]
REPEATED = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]
StringLookup, IntegerLookup = keras.layers.StringLookup, keras.layers.IntegerLookup


def values(found: Any) -> Any:
    return np.asarray(found).astype(float).round(6).tolist()


@pytest.mark.parametrize(
    "form", [WORDS, np.array(WORDS), np.array(WORDS, dtype=object), [[b"a", b"c", b"d"], [b"d", b"z", b"b"]]]
)
def test_names_become_positions(form: Any) -> None:
    found = StringLookup(vocabulary=LETTERS)(form)
    assert found.dtype == torch.int64 and values(found) == [[1, 3, 4], [4, 0, 2]]


def test_the_vocabulary_is_learnt_commonest_first() -> None:
    layer = StringLookup()
    layer.adapt(WORDS)
    assert layer.get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    assert values(layer(WORDS)) == [[5, 3, 1], [1, 2, 4]]
    batched = StringLookup(max_tokens=3)
    batched.adapt(Dataset.from_tensor_slices(np.array(["x", "y", "y", "z", "z", "z"])).batch(4))
    assert batched.get_vocabulary() == ["[UNK]", "z", "y"] and batched.vocabulary_size() == 3
    assert batched.get_vocabulary(include_special_tokens=False) == ["z", "y"]
    numbers = IntegerLookup()
    numbers.adapt(np.array([[12, 1138, 42], [42, 1000, 36]]))
    assert numbers.get_vocabulary() == [-1, 42, 1138, 1000, 36, 12]


def test_vectors() -> None:
    eye = np.eye(5, dtype=int)
    one_hot = StringLookup(vocabulary=LETTERS, output_mode="one_hot")(["a", "b", "c", "d", "z"])
    assert one_hot.dtype == torch.float32 and values(one_hot) == eye[[1, 2, 3, 4, 0]].tolist()
    for mode, expected in (
        ("multi_hot", [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]), ("binary", [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]),
        ("count", [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]),
    ):  # fmt: skip
        assert values(StringLookup(vocabulary=LETTERS, output_mode=mode)(REPEATED)) == expected
    padded = StringLookup(vocabulary=LETTERS, output_mode="count", max_tokens=7, pad_to_max_tokens=True)
    assert padded(REPEATED).shape == (2, 7)
    with pytest.raises(InputError, match="special token 'd'"):
        StringLookup(vocabulary=LETTERS, output_mode="count", mask_token="d")
    assert values(StringLookup(vocabulary=["a", "c"], mask_token="d", output_mode="count")(REPEATED)) == [
        [0, 1, 1], [3, 0, 0]
    ]  # fmt: skip


def test_inverse_document_frequencies() -> None:
    layer = StringLookup(output_mode="tf_idf")
    layer.set_vocabulary(LETTERS, idf_weights=[0.25, 0.75, 0.6, 0.4])
    assert values(layer(REPEATED)) == [[0.0, 0.25, 0.0, 0.6, 0.8], [1.0, 0.0, 0.75, 0.0, 0.4]]
    layer.set_vocabulary(["[UNK]", *LETTERS], idf_weights=[0.9, 0.25, 0.75, 0.6, 0.4])
    assert values(layer(REPEATED)) == [[0.0, 0.25, 0.0, 0.6, 0.8], [1.8, 0.0, 0.75, 0.0, 0.4]]
    learnt = StringLookup(output_mode="tf_idf")
    learnt.adapt(REPEATED)
    assert learnt.get_vocabulary()[1:] == ["d", "z", "c", "b", "a"]
    weights = [np.log(1 + 2 / (1 + documents)) for documents in (2, 1, 1, 1, 1)]
    np.testing.assert_allclose(learnt([["d", "q"]])[0], [np.mean(weights), weights[0], 0, 0, 0, 0], rtol=1e-6)


def test_positions_become_names_again() -> None:
    inverse = StringLookup(vocabulary=LETTERS, invert=True)
    found = inverse(np.array([[1, 3, 4], [4, 0, 2]]))
    assert found.tolist() == [["a", "c", "d"], ["d", "[UNK]", "b"]]
    assert found.numpy().tolist() == [[b"a", b"c", b"d"], [b"d", b"[UNK]", b"b"]]
    assert inverse(torch.tensor(2)).numpy().decode() == "b"
    masked = StringLookup(vocabulary=LETTERS, mask_token="")
    assert masked.get_vocabulary() == ["", "[UNK]", *LETTERS] and values(masked(["", "q", "a"])) == [0, 1, 2]
    again = StringLookup(vocabulary=masked.get_vocabulary(), mask_token="", invert=True)
    assert again(masked(["b", "q"])).tolist() == ["b", "[UNK]"]


def test_numbers() -> None:
    layer = IntegerLookup(vocabulary=[12, 36, 1138, 42])
    assert values(layer([[12, 1138, 42], [42, 1000, 36]])) == [[1, 3, 4], [4, 0, 2]]
    several = IntegerLookup(vocabulary=[12, 36, 1138, 42], num_oov_indices=2)
    assert values(several(torch.tensor([[12, 1138, 42], [37, 1000, 36]]))) == [[2, 4, 5], [1, 0, 3]]
    inverse = IntegerLookup(vocabulary=[12, 36, 1138, 42], invert=True)
    assert values(inverse([[1, 3, 4], [4, 0, 2]])) == [[12, 1138, 42], [42, -1, 36]]


def test_labels_in_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("sea\nforest\n")
    lookup = StringLookup(vocabulary=str(tmp_path / "classes.txt"), num_oov_indices=0)
    data = Dataset.from_tensor_slices((np.zeros((3, 2), np.float32), np.array(["forest", "sea", "sea"])))
    assert [int(label) for _, label in data.map(lambda x, y: (x, lookup(y)))] == [1, 0, 0]
    assert values(next(iter(data.batch(3).map(lambda x, y: lookup(y))))) == [1, 0, 0]
    with pytest.raises(InputError, match="found OOV values \\['lake'\\]"):
        lookup("lake")


def test_configs_hold_what_was_learnt() -> None:
    layer = StringLookup(output_mode="multi_hot", name="words")
    layer.adapt(WORDS)
    again = StringLookup.from_config(layer.get_config())
    assert again.get_vocabulary() == layer.get_vocabulary() and again.name == "words"
    assert values(again(WORDS)) == values(layer(WORDS))
    with pytest.raises(InputError, match="may not name a file"):
        StringLookup.from_config({**layer.get_config(), "vocabulary": "secrets.txt"})


def test_what_does_not_go_together_is_refused() -> None:
    for make, said in (
        (lambda: StringLookup()(["a"]), "no vocabulary yet"),
        (lambda: StringLookup(vocabulary=["a", "a"]), "more than once"),
        (lambda: StringLookup(vocabulary=[]), "empty vocabulary"),
        (lambda: StringLookup(vocabulary=LETTERS, max_tokens=3), "max_tokens is 3"),
        (lambda: StringLookup(vocabulary=LETTERS, output_mode="tf_idf"), "idf_weights go with"),
        (lambda: StringLookup(vocabulary=LETTERS, output_mode="onehot"), "one_hot"),
        (lambda: StringLookup(vocabulary=LETTERS, invert=True, output_mode="count"), "must be 'int'"),
        (lambda: StringLookup(vocabulary=LETTERS).adapt(WORDS), "static vocabulary"),
        (lambda: IntegerLookup(max_tokens=1), "greater than 1"),
    ):
        with pytest.raises(InputError, match=said):
            make()
    for make in (
        lambda: StringLookup(vocabulary=LETTERS, num_oov_indices=2),
        lambda: IntegerLookup(vocabulary=[1])(keras.Input((1,), dtype="int64")),
    ):
        with pytest.raises(UnsupportedError):
            make()
