"""Stand-ins for names that are not here, and the table of what to use instead."""

from __future__ import annotations

from importlib import import_module

import pytest

import scene_lightning as keras
from scene_lightning._unsupported import _BY_NAME, absent, is_absent
from scene_lightning._usage_report import ledger
from scene_lightning.errors import UnsupportedError


@pytest.mark.parametrize("name", sorted(name for name in _BY_NAME if name.startswith("keras.")))
def test_advice_is_for_names_that_are_not_here(name: str) -> None:
    parent, _, last = name.rpartition(".")
    if parent in ("keras.datasets", "keras.experimental"):  # modules of stand-ins; names of the runner alone
        parent, last = (
            ("keras.datasets." + last, "load_data") if parent == "keras.datasets" else ("keras", "experimental")
        )
    assert is_absent(getattr(import_module(parent.replace("keras", "scene_lightning")), last)), f"{name} is here"


def test_a_stand_in_is_refused_where_it_is_used() -> None:
    def subclass() -> None:  # a program may have it and never use it
        class Cell(keras.layers.LSTMCell):  # type: ignore[misc, name-defined]
            units = 3

        assert Cell.units == 3
        Cell()

    refusal = r"keras\.layers\.LSTM(Cell)?(\.cell)? is not supported \(test_unsupported\.py, line \d+\)\. Recurrent"
    for use in (
        keras.layers.LSTM, subclass, lambda: keras.layers.LSTM.cell, lambda: keras.layers.LSTM[0],
        lambda: [*keras.layers.LSTM], lambda: keras.layers.LSTM.__class__.__enter__(keras.layers.LSTM),
    ):  # fmt: skip
        with pytest.raises(UnsupportedError, match=refusal):
            use()
    assert not isinstance(3, keras.layers.LSTM)
    assert "Recurrent" in repr(keras.layers.LSTM)


def test_advice_is_the_tables_or_the_nearest_name() -> None:
    assert "TFRecordDataset" in absent("tensorflow.compat.v1.TFRecordReader").__doc__
    assert "convert it with TensorFlow" in absent("tensorflow.lite.TFLiteConverter").__doc__
    assert "keras.layers.Dense." in absent("keras.layers.Dens", ["Dense", "Conv2D"]).__doc__
    assert "torch's own" in absent("tensorflow.zzzzzz").__doc__


def test_a_switch_of_what_is_not_here_is_kept_and_noted() -> None:
    stand_in = absent("tensorflow.lite.flags")
    stand_in.fast = True
    assert stand_in.fast
    assert "tensorflow.lite.flags.fast = True" in ledger.ignored
