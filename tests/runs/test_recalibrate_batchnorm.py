"""BatchNormalization's statistics, recalculated: those of training images as they are, for the kept weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.data.scan import find_splits
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import RecipeError
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.runs.inputs import decode_all, sample_feed
from scene_lightning.runs.recalibrate_batchnorm import recalculate
from scene_lightning.runs.train import train

SETTINGS = ["filters=[4]", "dense=[8]", "input_size=24", "batch_size=8"]
IMAGES = torch.rand(12, 10, 10, 3, generator=torch.Generator().manual_seed(1)) * 3


def network() -> Any:
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [
            keras.Input((10, 10, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Conv2D(5, 3),
            keras.layers.BatchNormalization(),
            keras.layers.GaussianNoise(0.9),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def statistics(model: Any) -> list[np.ndarray]:
    found = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    return [part.numpy(force=True).copy() for layer in found for part in (layer.moving_mean, layer.moving_variance)]


def test_predictions_are_then_those_of_a_batch_normalised_by_itself() -> None:
    model = network()
    recalculate(model, [IMAGES])
    x = IMAGES.numpy()
    for layer in model.layers:  # by hand, with numpy; dropout and noise do nothing
        if isinstance(layer, keras.layers.BatchNormalization):
            x = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + layer.epsilon)
        else:
            x = layer(torch.as_tensor(x), training=False).numpy(force=True)
    np.testing.assert_allclose(model.predict(IMAGES.numpy(), verbose=0), x, atol=1e-5)


def test_several_batches_are_averaged_and_nothing_is_drawn() -> None:
    apart = []
    for part in IMAGES.split(4):
        model = network()
        recalculate(model, [part])
        apart.append(statistics(model))
    model, before = network(), torch.get_rng_state()
    recalculate(model, IMAGES.split(4))
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(layer._forward_pre_hooks for layer in model.layers)
    for averaged, *single in zip(statistics(model), *apart, strict=True):
        np.testing.assert_allclose(averaged, np.mean(single, 0), rtol=1e-5, atol=1e-6)


def test_frozen_layers_keep_their_statistics() -> None:
    model = network()
    model.layers[2].trainable = False
    before = statistics(model)
    recalculate(model, [IMAGES])
    after = statistics(model)
    assert all(np.array_equal(a, b) for a, b in zip(before[:2], after[:2], strict=True))
    assert not any(np.allclose(a, b) for a, b in zip(before[2:], after[2:], strict=True))


def test_a_model_without_any_is_left_alone() -> None:
    def asked() -> Iterator[torch.Tensor]:
        raise AssertionError("asked for images that nobody needs")
        yield

    recalculate(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), asked())


def test_a_short_batch_counts_for_less_and_a_layer_called_twice_is_averaged() -> None:
    shared = keras.layers.BatchNormalization()
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.add([shared(inputs), shared(keras.layers.Rescaling(3.0)(inputs))]))
    recalculate(model, [torch.ones(3, 2), torch.full((1, 2), 5.0)])
    np.testing.assert_allclose(shared.moving_mean, np.full(2, (3 * 1 + 1 * 5) / 4 * (1 + 3) / 2), rtol=1e-6)


def test_a_layer_that_is_not_called_keeps_its_statistics() -> None:
    model = network()
    model.spare = keras.layers.BatchNormalization()
    model.spare.build((None, 3))
    recalculate(model, [IMAGES])
    np.testing.assert_array_equal(model.spare.moving_variance, np.ones(3))


@pytest.mark.parametrize(
    "precision", ["bf16-mixed", *(pytest.param(name, marks=pytest.mark.soak) for name in ("bf16-true", "64-true"))]
)
def test_in_every_precision(tmp_path: Path, precision: str) -> None:
    draw_scenes(tmp_path / "scenes", 2, test_per_class=1, predict=1, size=32)
    wanted = load_recipe("paper", [*SETTINGS, "epochs=1", f"precision={precision}", "recalibrate_batchnorm=true"])
    run = train(str(tmp_path / "scenes"), recipe=wanted, out=str(tmp_path / "run"))
    assert all(np.isfinite(part).all() for part in statistics(keras.models.load_model(str(run.folder / "best.ckpt"))))


def test_pretrained_backbones_keep_theirs_so_that_there_is_nothing_to_recalculate() -> None:
    with pytest.raises(RecipeError, match="keeps its statistics"):
        load_recipe("transfer", ["recalibrate_batchnorm=true"])


def test_a_run_keeps_averaged_weights_with_their_own_statistics(tmp_path: Path) -> None:
    data = tmp_path / "scenes"
    draw_scenes(data, 6, test_per_class=2, predict=1, size=32)
    wanted = load_recipe(
        "paper",
        [*SETTINGS, "epochs=2", "precision=32-true", "ema_momentum=0.9", "data.mixup=0.4",
         "brightness_range=[0.3, 0.6]", "recalibrate_batchnorm=true"],
    )  # fmt: skip
    run = train(str(data), recipe=wanted, out=str(tmp_path / "run"))
    model = keras.models.load_model(str(run.folder / "best.ckpt"))
    kept = statistics(model)
    images = decode_all(wanted, find_splits(str(data), 0.2, wanted.training.seed).train, strict=True, shared=False)
    feed = sample_feed(wanted, images)
    recalculate(model, [feed.to_device_batch(batch, 0, training=False)[0] for batch in feed.batches(0)])
    for ours, expected in zip(kept, statistics(model), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)
