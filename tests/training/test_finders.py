"""The rate that a known curve asks for; that sweeps leave no trace; batch sizes until memory is full."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.data.sources import ArraySource
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.training import finders
from scene_lightning.training.devices import Hardware
from scene_lightning.training.finders import BatchTrial, RateCurve, sweep_rates, try_batch_sizes

CPU = Hardware("cpu", 1)


def small_model(optimizer: object = "adam", normalise: bool = True) -> keras.Model:
    keras.utils.set_random_seed(0)
    between = keras.layers.BatchNormalization() if normalise else keras.layers.Rescaling(1 / 255)
    model = keras.Sequential([
        keras.Input((6, 6, 1)), keras.layers.Flatten(), between, keras.layers.Dense(2, activation="softmax")
    ])  # fmt: skip
    model.compile(optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def feed(batch_size: int = 16) -> ImageFeed:
    """96 images: dark and bright."""
    random = np.random.default_rng(0)
    labels = np.arange(96) % 2
    images = np.clip(random.normal(90 + 80 * labels[:, None, None, None], 40, (96, 6, 6, 1)), 0, 255).astype(np.uint8)
    return ImageFeed(ArraySource(images), np.eye(2)[labels], batch_size=batch_size, shuffle=True, training=True, seed=1)


def plain(variables: Any) -> list[Any]:
    return [value.tolist() if isinstance(value, torch.Tensor) else float(value) for value in variables]


# -- the suggestion ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("best", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_the_steepest_descent_of_a_known_curve_is_found(best: float, noise: float) -> None:
    """A plateau at 2, a fall to 0.5 whose steepest place is known, and an explosion from 100 times that rate on."""
    rates = np.geomspace(1e-6, 10, 140)
    place = np.log10(rates / best)
    losses = 0.5 + 1.5 / (1 + np.exp(5 * place)) + np.exp(6 * (place - 2.2))
    losses = losses * (1 + noise * np.random.default_rng(0).normal(size=140))
    losses = losses[losses < 8]
    found = RateCurve(rates[: len(losses)].tolist(), losses.tolist(), True).suggestion()
    assert found is not None and best / 2 < found < best * 2


def test_no_rate_is_suggested_where_the_loss_does_not_fall() -> None:
    rates = np.geomspace(1e-6, 1, 50).tolist()
    assert RateCurve(rates, np.linspace(1, 2, 50).tolist(), False).suggestion() is None
    assert RateCurve(rates[:2], [1.0, 0.5], True).suggestion() is None


# -- the sweep ---------------------------------------------------------------------------------------------------------


def test_a_sweep_rises_evenly_falls_explodes_and_leaves_no_trace() -> None:
    model = small_model(keras.optimizers.SGD(0.125, momentum=0.9))
    model.fit(feed(), epochs=1, verbose=0, accelerator="cpu")
    weights = [value.copy() for value in model.get_weights()]
    slots = plain(model.optimizer.variables)
    optimizer = model.optimizer
    curve = sweep_rates(model, feed(), (1e-4, 1e4), 30, CPU)
    assert len(curve.rates) == len(curve.losses) <= 30
    np.testing.assert_allclose(curve.rates, np.geomspace(1e-4, 1e4, 30)[: len(curve.rates)])
    assert min(curve.smoothed) < curve.smoothed[0]
    assert model.optimizer is optimizer and float(optimizer.learning_rate) == 0.125
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert plain(optimizer.variables) == slots


def test_a_sweep_works_with_a_schedule_and_stops_at_nonsense() -> None:
    model = small_model(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 100)))
    curve = sweep_rates(model, feed(), (1e-2, 1e30), 40, CPU)
    assert len(curve.losses) < 40 and curve.diverged and np.isfinite(curve.losses).all()
    assert isinstance(model.optimizer.get_config()["learning_rate"], dict)


def test_the_first_losses_are_the_models_own() -> None:
    """Lightning's finder shows half of the first loss."""
    model = small_model("sgd", normalise=False)
    at_rest = model.evaluate(feed(), verbose=0, return_dict=True, accelerator="cpu")["loss"]
    curve = sweep_rates(model, feed(), (1e-9, 1e-8), 20, CPU)
    assert curve.smoothed == pytest.approx(np.full(20, at_rest), rel=0.15), "at such rates nothing is learned"


# -- batch sizes -------------------------------------------------------------------------------------------------------


def test_batch_sizes_rise_until_one_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()
    weights = [value.copy() for value in model.get_weights()]
    own = type(model).training_step

    def step(self: keras.Model, batch: tuple[torch.Tensor, ...], batch_idx: int = 0) -> torch.Tensor | None:
        if len(batch[0]) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more than there is.")
        return own(self, batch, batch_idx)

    monkeypatch.setattr(type(model), "training_step", step)
    trials = list(try_batch_sizes(model, feed, [4, 8, 16, 32], hardware=CPU))
    assert [(one.batch_size, one.fits) for one in trials] == [(4, True), (8, True), (16, False)]
    assert all(one.images_per_second > 0 and one.memory_bytes > 0 for one in trials if one.fits)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_other_errors_are_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()

    def step(*_: object, **__: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(type(model), "training_step", step)
    with pytest.raises(RuntimeError, match="shapes"):
        list(try_batch_sizes(model, feed, [2, 4], hardware=CPU))


def test_on_a_cpu_the_growth_says_what_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finders, "available_memory", lambda: 5 * 2**30)
    grown = [BatchTrial(64, True, 1.0, 3 * 2**30), BatchTrial(128, True, 1.0, 5 * 2**30)]
    assert not finders._would_burst(grown, 256)  # 4 GiB more
    assert finders._would_burst([*grown, BatchTrial(256, True, 1.0, 9 * 2**30)], 512)  # 8 GiB more
    assert not finders._would_burst(grown[:1], 128)


def test_noise_makes_a_suggestion_doubtful() -> None:
    rates = np.geomspace(1e-6, 1, 100)
    descent = 1.8 - 0.7 / (1 + np.exp(-2.5 * (np.log10(rates) + 3)))
    noise = np.random.default_rng(1).normal(0, 1, 100)
    clean, noisy = (RateCurve(rates.tolist(), (descent + size * noise).tolist(), False) for size in (0.02, 0.5))
    span, suggestion = clean.range(), clean.suggestion()
    assert span is not None and suggestion is not None and not clean.is_doubtful()
    assert span[0] <= suggestion <= span[1] < 10 * span[0]
    assert noisy.is_doubtful()
    assert noisy.band.mean() > 10 * clean.band.mean()
    assert RateCurve([], [], False).is_doubtful()
