"""Process-wide settings and the old `keras.backend` value helpers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import _settings, backend
from scene_lightning._naming import auto_name
from scene_lightning.errors import InputError


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    before = dict(_settings._values)
    yield
    _settings._values.update(before)


def test_settings() -> None:
    assert (backend.floatx(), backend.epsilon(), backend.image_data_format()) == ("float32", 1e-7, "channels_last")
    backend.set_floatx("float64")
    backend.set_epsilon(1e-5)
    backend.set_image_dim_ordering("th")
    assert _settings.torch_dtype() == torch.float64
    assert backend.epsilon() == 1e-5
    assert backend.image_data_format() == "channels_first"
    assert backend.image_dim_ordering() == "th"
    assert backend.backend() == "torch"


def test_learning_phase_and_session() -> None:
    assert _settings.forced_learning_phase() is None
    backend.set_learning_phase(1)
    assert backend.learning_phase() == 1
    assert _settings.forced_learning_phase() is True
    assert auto_name("Conv2D") == "conv2d"
    assert auto_name("Conv2D") == "conv2d_1"
    backend.clear_session()
    assert backend.get_uid("Conv2D") == "conv2d"
    assert _settings.forced_learning_phase() is None


def test_values() -> None:
    weight = torch.nn.Parameter(torch.zeros(2))
    backend.set_value(weight, [1, 2])
    assert backend.get_value(weight).tolist() == [1.0, 2.0]
    assert backend.eval(3.0) == 3.0
    backend.batch_set_value([(weight, [3, 4])])
    assert backend.batch_get_value([weight])[0].tolist() == [3.0, 4.0]
    assert backend.int_shape(weight) == (2,)
    assert backend.ndim(weight) == 1
    assert backend.count_params(weight) == 2
    assert backend.cast_to_floatx(np.zeros(1, "float64")).dtype == np.float32
    assert backend.cast_to_floatx(torch.zeros(1, dtype=torch.float64)).dtype == torch.float32


def test_wrong_values_are_refused() -> None:
    for call in (
        lambda: backend.set_floatx("float8"), lambda: backend.set_image_data_format("x"),
        lambda: backend.set_image_dim_ordering("x"), lambda: backend.set_learning_phase(2),
        lambda: backend.set_value(3.0, 1.0), lambda: _settings.torch_dtype("x"),
    ):  # fmt: skip
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize("spelling", ["int64", np.dtype("int64"), np.int64, torch.int64, "torch.int64"])
def test_a_dtype_in_every_spelling(spelling: object) -> None:
    assert _settings.torch_dtype(spelling) == torch.int64
    assert backend.standardize_dtype(spelling) == "int64"


def test_whole_numbers_become_the_default_float_or_the_runs() -> None:
    pixels = torch.zeros(2, dtype=torch.uint8)
    assert _settings.as_float(pixels).dtype == torch.float32
    assert _settings.as_float(pixels.half()).dtype == torch.float16
    backend.set_floatx("float16")
    assert _settings.as_float(pixels).dtype == torch.float16
    torch.set_default_dtype(torch.float64)  # as Lightning does for "64-true"
    try:
        assert _settings.as_float(pixels).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_is_keras_tensor() -> None:
    assert backend.is_keras_tensor(keras.Input((3,))) and not backend.is_keras_tensor(torch.zeros(3))
