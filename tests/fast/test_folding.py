"""Prediction with BatchNormalization folded into its neighbours, against the layers as they stand."""

from __future__ import annotations

import copy
import functools
import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch

from scene_lightning import fast
from scene_lightning.errors import InputError
from scene_lightning.fast.folding import fold
from scene_lightning.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
)  # fmt: skip
from scene_lightning.models import Model, Sequential
from scene_lightning.utils import set_random_seed

SHAPE = (21, 19, 3)
IMAGES = np.random.default_rng(0).normal(size=(5, *SHAPE)).astype("float32")


def paper() -> Model:
    model = Sequential([Input(SHAPE)])
    for filters in (8, 6):
        for layer in (Conv2D(filters, 3, activation="relu"), MaxPooling2D(), BatchNormalization(), Dropout(0.2)):
            model.add(layer)
    for layer in (Flatten(), Dense(7, activation="relu"), Dense(3, activation="softmax")):
        model.add(layer)
    return model


def residual() -> Model:
    inputs = Input(SHAPE)
    first = Activation("relu")(BatchNormalization()(Conv2D(6, 3, padding="same", use_bias=False)(inputs)))
    second = BatchNormalization(scale=False)(Conv2D(6, 3, padding="same")(first))
    joined = Add()([first, second])
    last = BatchNormalization(center=False)(joined)
    return Model(inputs, Dense(3)(GlobalAveragePooling2D()(last)))


def padded() -> Model:
    return Sequential(
        [Input(SHAPE), Conv2D(4, 3, activation="relu"), BatchNormalization(), Conv2D(4, 3, padding="same"), Flatten()]
    )


def nested() -> Model:
    return Sequential([Input(SHAPE), residual(), BatchNormalization(), Dense(2)])


CASES = {"paper": (paper, 2), "residual": (residual, 3), "padded": (padded, 0), "nested": (nested, 1)}


def with_moved_statistics(model: Model) -> Model:
    generator = torch.Generator().manual_seed(1)
    for layer in model.modules():
        if isinstance(layer, BatchNormalization):
            with torch.no_grad():
                layer.moving_mean.normal_(generator=generator)
                layer.moving_variance.uniform_(0.3, 3.0, generator=generator)
                for weight in (layer.gamma, layer.beta):
                    if weight is not None:
                        weight.normal_(generator=generator)
    return model


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_those_of_the_plain_layers_to_rounding(name: str) -> None:
    build, count = CASES[name]
    model = with_moved_statistics(build())
    assert len(fold(*model._chain()).gone) == count
    with fast.plain_paths():
        plain = model.predict(IMAGES, verbose=0)
    before = model.get_weights()
    quick = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(quick, plain, rtol=1e-5, atol=1e-5 * np.abs(plain).max())
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_new_weights_are_seen_by_the_next_prediction() -> None:
    model = with_moved_statistics(paper())
    model.predict(IMAGES, verbose=0)
    with_moved_statistics(model).layers[2].moving_mean.fill_(3.0)
    with fast.plain_paths():
        plain = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), plain, rtol=1e-5, atol=1e-6)


def test_layers_that_are_watched_or_of_another_layout_stay() -> None:
    model = paper()
    model.layers[2].register_forward_hook(lambda layer, given, found: None)
    assert 2 not in fold(*model._chain()).gone
    first = Sequential(
        [Input((3, 9, 9)), Conv2D(4, 3, data_format="channels_first"), BatchNormalization(axis=1), Flatten(), Dense(2)]
    )
    assert not fold(*first._chain()).gone
    with fast.plain_paths():
        model.predict(IMAGES, verbose=0)
        assert model._folds is None


def test_a_prediction_that_fails_leaves_the_model_whole() -> None:
    model = paper()
    with pytest.raises(InputError):
        model.predict(IMAGES[:, :5], verbose=0)
    assert model._folds is None


@pytest.mark.parametrize(("precision", "tolerance"), [("64-true", 1e-5), ("bf16-true", 0.1)])
def test_folded_weights_take_the_dtype_that_lightning_gives_the_model(precision: str, tolerance: float) -> None:
    """Lightning casts (and moves) a model when it runs it, after it was folded."""
    model = with_moved_statistics(paper())
    with fast.plain_paths():
        plain = model.predict(IMAGES, verbose=0, precision=precision)
    quick = model.predict(IMAGES, verbose=0, precision=precision)
    np.testing.assert_allclose(quick, plain, atol=tolerance)


def test_folded_weights_follow_their_layer_once() -> None:
    model = with_moved_statistics(paper())
    folds = fold(*model._chain())
    number = next(iter(folds.weights))
    kernel = torch.empty(1, dtype=torch.float64, device="meta")  # stands for a GPU: another device than the host
    moved = folds.weights_like(number, kernel)
    assert {(part.device.type, part.dtype) for part in moved} == {("meta", torch.float64)}
    assert folds.weights_like(number, kernel) is moved


@pytest.mark.cuda
def test_a_gpu_predicts_with_folded_weights() -> None:
    model = with_moved_statistics(paper())
    with fast.plain_paths():
        plain = model.predict(IMAGES, verbose=0, accelerator="cpu")
    quick = model.predict(IMAGES, verbose=0, accelerator="cuda", devices=1)
    np.testing.assert_allclose(quick, plain, rtol=1e-3, atol=1e-3)


def _flipped_where_it_lies(kernel: torch.Tensor) -> None:
    kernel.data.copy_(kernel.data.flip(0))


def _through_numpy(kernel: torch.Tensor) -> None:
    kernel.detach().numpy()[1, 1] += 0.5


def _without_a_version(kernel: torch.Tensor) -> None:
    kernel.data[-1, -1] -= 0.5


def wide() -> Model:
    set_random_seed(0)
    layers = [Conv2D(32, 3, padding="same"), BatchNormalization(), Activation("relu"), Conv2D(64, 3, activation="relu")]
    return Sequential([Input(SHAPE), *layers, GlobalAveragePooling2D(), Dense(3)])


@pytest.mark.parametrize("verb", ["predict", "predict_on_batch"])
@pytest.mark.parametrize("number", [0, 3], ids=["folded", "as it is"])
@pytest.mark.parametrize("change", [_flipped_where_it_lies, _through_numpy, _without_a_version])
def test_changes_that_torch_does_not_count_are_seen(change: Callable[..., None], number: int, verb: str) -> None:
    model = with_moved_statistics(wide())
    images = IMAGES[:1]
    predict = functools.partial(getattr(model, verb), images)
    before = predict()
    np.testing.assert_array_equal(predict(), before)
    change(model.layers[number].kernel)
    after = predict()
    with fast.plain_paths():
        plain = predict()
    assert np.abs(plain - before).max() > 1e-3
    np.testing.assert_allclose(after, plain, rtol=1e-5, atol=1e-5 * np.abs(plain).max())


def test_one_batch_is_predicted_as_predict_does() -> None:
    model = with_moved_statistics(residual())
    np.testing.assert_array_equal(model.predict_on_batch(IMAGES), model.predict(IMAGES, verbose=0))
    with fast.plain_paths():
        plain = model.predict_on_batch(IMAGES)
    np.testing.assert_allclose(model.predict_on_batch(IMAGES), plain, rtol=1e-5, atol=1e-5 * np.abs(plain).max())


def test_layers_that_are_watched_or_changed_after_a_prediction_are_seen() -> None:
    model = with_moved_statistics(wide())
    model.predict(IMAGES, verbose=0)
    seen = []
    hook = model.layers[1].register_forward_hook(lambda layer, given, found: seen.append(found))
    model.predict(IMAGES, verbose=0)
    assert len(seen) == 1
    hook.remove()
    model.layers[0].activation = torch.sigmoid
    model.layers[1].epsilon = 0.5
    quick = model.predict(IMAGES, verbose=0)
    with fast.plain_paths():
        np.testing.assert_allclose(quick, model.predict(IMAGES, verbose=0), rtol=1e-5, atol=1e-6)


def folds_of(model: Model) -> object:
    with fast.folded(model):
        return model._folds


def test_what_is_kept_serves_while_nothing_changes_and_goes_with_the_model() -> None:
    model = with_moved_statistics(wide())
    first = weakref.ref(folds_of(model))
    gc.collect()
    assert first() is not None
    assert folds_of(model) is first()
    model.compile("sgd", "mse")
    model.fit(IMAGES, np.zeros((5, 3)), epochs=1, verbose=0)
    gc.collect()
    assert first() is None  # freed for the training
    copied = copy.deepcopy(model)
    np.testing.assert_array_equal(copied.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))
    kept, last = weakref.ref(model), weakref.ref(folds_of(model))
    del model
    gc.collect()
    assert kept() is None
    assert last() is None


def test_a_prediction_within_a_prediction_leaves_it_its_weights() -> None:
    model = with_moved_statistics(wide())
    with fast.folded(model):
        outer = model._folds
        model.predict_on_batch(IMAGES)
        assert model._folds is outer


@pytest.mark.parametrize("verb", ["predict", "predict_on_batch"])
def test_a_model_that_has_diverged_says_so(verb: str) -> None:
    model = wide()
    with torch.no_grad():
        model.layers[0].kernel[0, 0, 0, 0] = float("nan")
    assert np.isnan(getattr(model, verb)(IMAGES[:1])).all()
