"""`model.summary()` against Keras' own text, character for character, and Keras 2's table against its known lines."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest

import scene_lightning as ours


def paper(k: Any, first: Any = None) -> Any:
    """The network of the paper: convolutions with batch norm, a dense head of six classes."""
    layers = k.layers
    return k.Sequential(
        [
            *([first] if first is not None else []),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(6, activation="softmax"),
        ]
    )


def branching(k: Any) -> Any:
    layers = k.layers
    inputs = k.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, padding="same")(inputs)
    y = layers.Conv2D(8, 1, name="a_rather_long_name_for_a_convolution_of_one_by_one")(inputs)
    z = layers.Concatenate()([layers.Add()([x, y]), x])
    return k.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(z)), name="two[arms]")


def nested(k: Any) -> Any:
    layers = k.layers
    inner = k.Sequential([k.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten()], name="inner")
    inputs = k.Input((8, 8, 3))
    backbone = branching_backbone(k)
    frozen = layers.Dense(5, name="frozen")
    frozen.trainable = False
    return k.Model(inputs, layers.Concatenate()([frozen(inner(inputs)), backbone(inputs)]), name="outer")


def branching_backbone(k: Any) -> Any:
    inputs = k.Input((8, 8, 3))
    flat = k.layers.Flatten()(inputs)
    return k.Model(inputs, k.layers.Add()([k.layers.Dense(2)(flat), k.layers.Dense(2)(flat)]), name="backbone")


def shared(k: Any) -> Any:
    inputs = k.Input((4,))
    dense = k.layers.Dense(4)
    return k.Model(inputs, dense(dense(inputs)))


def two_ends(k: Any) -> Any:
    one, two = k.Input((4,), name="one"), k.Input((6,), name="two")
    joined = k.layers.Concatenate()([one, two])
    return k.Model([one, two], [k.layers.Dense(1)(joined), k.layers.Dense(2)(joined)])


def chain(k: Any) -> Any:
    inputs = k.Input((None, None, 3))
    return k.Model(inputs, k.layers.GlobalMaxPooling2D()(k.layers.Conv2D(1200, 3)(inputs)))


MODELS = {
    "paper": lambda k: paper(k, k.Input((150, 150, 3))),
    "unbuilt": paper,
    "branching": branching,
    "nested": nested,
    "shared": shared,
    "two ends": two_ends,
    "chain": chain,
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"show_trainable": True},
    {"expand_nested": True, "show_trainable": True},
    {"line_length": 60},
    {"line_length": 130, "positions": [0.3, 0.6, 0.8, 1.0]},
]


def text_of(model: Any, **options: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lambda text, **_: lines.append(text), **options)
    return "\n".join(lines)


def squeezed(text: str) -> str:
    """`text` without its padding."""
    return re.sub(r" +", " ", text)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("columns", ["80", "140"])
def test_keras_3_text(name: str, options: dict[str, Any], columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    theirs, mine = MODELS[name](keras), MODELS[name](ours)
    if "positions" in options and name in ("paper", "unbuilt", "chain"):
        options = {**options, "positions": [0.5, 0.8, 1.0]}
    assert text_of(mine, **options) == text_of(theirs, **options)


def test_after_a_call_on_data_and_training() -> None:
    texts = []
    for k in (keras, ours):
        model = k.Sequential(
            [k.layers.Conv2D(2, 3), k.layers.BatchNormalization(), k.layers.Flatten(), k.layers.Dense(2)]
        )
        model.compile("adam", "mse")
        model.fit(np.zeros((4, 8, 8, 3), np.float32), np.zeros((4, 2), np.float32), verbose=0)
        texts.append(text_of(model))
    # Keras may show the size of the first batch.
    assert squeezed(texts[1]) == squeezed(texts[0]).replace("(4, ", "(None, ")
    assert " Optimizer params: " in texts[1]


@pytest.mark.parametrize("layer_range", [("conv2d", "flatten"), ("max.*", "dense"), ("flatten", "conv2d_1")])
def test_ranges(layer_range: tuple[str, str]) -> None:
    texts = [text_of(MODELS["paper"](k), layer_range=layer_range) for k in (keras, ours)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "options", [{"layer_range": ("a",)}, {"layer_range": ("x", "y")}, {"layer_range": (1, 2)}, {"line_length": 6}]
)
@pytest.mark.parametrize("k", [keras, ours], ids=["keras", "ours"])
def test_impossible_options(k: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        text_of(MODELS["paper"](k), **options)


def test_it_is_printed_too(capsys: pytest.CaptureFixture[str]) -> None:
    model = MODELS["paper"](ours)
    model.summary()
    assert capsys.readouterr().out == text_of(model)


def test_subclassed_models_list_their_layers() -> None:
    texts = []
    for k in (keras, ours):

        class Net(k.Model):  # type: ignore[name-defined]
            def __init__(self, k: Any = k) -> None:
                super().__init__(name="net")
                self.flat = k.layers.Flatten()
                self.head = k.layers.Dense(3)

            def call(self, x: Any) -> Any:
                return self.head(self.flat(x))

        model = Net()
        model(np.zeros((2, 4, 4, 1), np.float32))
        texts.append(text_of(model))
    assert squeezed(texts[1]) == squeezed(texts[0]).replace("(2, ", "(None, ")


class TestKeras2:
    def test_the_paper_table(self) -> None:
        lines = text_of(MODELS["paper"](ours), style="keras2").split("\n")
        assert lines[:8] == [
            'Model: "sequential"',
            "_" * 65,
            " Layer (type)                Output Shape              Param #   ",
            "=" * 65,
            " conv2d (Conv2D)             (None, 148, 148, 32)      896       ",
            " " * 65,
            " max_pooling2d (MaxPooling2  (None, 74, 74, 32)        0         ",
            " D)                                                              ",
        ]
        assert lines[-5:] == [
            "=" * 65,
            "Total params: 10637254 (40.58 MB)",
            "Trainable params: 10637190 (40.58 MB)",
            "Non-trainable params: 64 (256.00 Byte)",
            "_" * 65,
        ]

    def test_branches_and_nesting(self) -> None:
        text = text_of(nested(ours), style="keras2", expand_nested=True, show_trainable=True)
        assert " input_layer_1 (InputLayer)  [(None, 8, 8, 3)]" in text
        assert "['inner[0][0]']" in text and "|" + "¯" * 107 + "|" in text
        assert all(len(line) == 109 for line in text.split("\n")[1:-5])

    def test_an_unknown_style_is_refused(self) -> None:
        with pytest.raises(ValueError, match="Expected 'keras3' or 'keras2'"):
            text_of(MODELS["paper"](ours), style="keras4")
