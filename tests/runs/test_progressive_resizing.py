"""Recipes whose images grow while they train (`training.progressive_resizing`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.geometry import View
from scene_lightning.data.scan import scan_folder
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import RecipeError
from scene_lightning.recipes.model_schema import last_map, seen_size
from scene_lightning.recipes.network import build_model
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.runs.inputs import training_feed
from scene_lightning.runs.progressive_resizing import progressive_sizes
from scene_lightning.runs.run_record import TrainingInterrupted
from scene_lightning.runs.train import decode_shown, train

SMALL = ["filters=[4,4]", "dense=[8]", "input_size=25", "batch_size=8", "epochs=4", "precision=32-true"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, 6, test_per_class=2, predict=1, size=32)
    return folder


@pytest.mark.parametrize("size", [150, 142, 149])
def test_the_papers_network_sees_no_more_than_is_said(size: int) -> None:
    """Pixels beyond the seen part change no answer; the last row and column within it do."""
    recipe = load_recipe("paper", [f"input_size={size}"])
    seen = seen_size(recipe.model)
    assert seen == (142, 142)
    assert last_map(recipe.model) == (7, 7)
    model = build_model(recipe, 6)
    images = np.random.default_rng(0).random((2, size, size, 3), dtype=np.float32)
    beyond, within = images.copy(), images.copy()
    beyond[:, 142:], beyond[:, :, 142:] = 0, 0
    within[:, 141], within[:, :, 141] = 0, 0
    answers = model.predict(images, verbose=0)
    np.testing.assert_allclose(model.predict(beyond, verbose=0), answers, rtol=1e-5)
    assert not np.allclose(model.predict(within, verbose=0), answers, rtol=1e-5)


def test_sizes_follow_the_epoch(data: Path) -> None:
    recipe = load_recipe("paper", [*SMALL, "progressive_resizing=[0.5,1]", "augmentation=off"])
    images = decode_shown(recipe, scan_folder(str(data / "seg_train")), strict=True, shared=False)
    feed = training_feed(recipe, images)
    assert seen_size(recipe.model) == (22, 22)
    sizes = []
    for epoch in range(4):
        batch = next(iter(feed.batches(epoch)))
        x, _, _ = feed.to_device_batch(batch, epoch, training=True)
        sizes.append(tuple(x.shape[1:]))
    assert sizes == [(11, 11, 3)] * 2 + [(22, 22, 3)] * 2
    torch.testing.assert_close(x, batch.images[:, :22, :22] / 255)
    x, _, _ = feed.to_device_batch(batch, 0, training=False)
    assert x.shape[1:] == (25, 25, 3)


def test_smaller_images_are_averages() -> None:
    sizes = progressive_sizes(load_recipe("paper", [*SMALL, "progressive_resizing=[0.5,1]"]))
    assert sizes is not None
    halves = torch.zeros(1, 25, 25, 3)
    halves[:, :, 12:] = 200
    smaller = sizes(halves, 0)
    assert smaller.shape == (1, 11, 11, 3)
    assert smaller.mean() == pytest.approx(200 * 10 / 22, abs=3)
    np.testing.assert_allclose(smaller[0, 3, [0, -1], 0], [0, 200], atol=1e-3)


RANGES = {"rotation_range": 20.0, "width_shift_range": 0.1, "zoom_range": (0.7, 1.2), "horizontal_flip": True}


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect", "constant", "wrap"])
def test_augmented_images_are_read_in_their_final_size_at_once(fill_mode: str) -> None:
    ranges = AugmentRanges(**RANGES, fill_mode=fill_mode, cval=7.0, brightness_range=(0.5, 0.9))
    params = ranges.draw(3, 0, np.arange(6), 40, 30)
    rows, cols = torch.meshgrid(torch.linspace(0, 250, 40), torch.linspace(0, 1, 30), indexing="ij")
    images = torch.stack((rows, 250 * cols**2, 250 - rows), dim=-1).expand(6, -1, -1, -1).contiguous()
    whole = ranges.apply(images, params)
    cut = ranges.apply(images, params, View((36, 20), (36, 20)))
    torch.testing.assert_close(cut, whole[:, :36, :20], atol=1.01, rtol=0)  # brightness is in whole grey levels
    half = ranges.apply(images, params, View((36, 20), (18, 10)))
    averaged = whole[:, :36, :20].unflatten(1, (18, 2)).unflatten(3, (10, 2)).mean((2, 4))
    assert half.shape == (6, 18, 10, 3)
    assert (half - averaged).abs().median() < 1  # an edge that the image was moved away from differs more


def test_brightness_still_counts_in_whole_grey_levels() -> None:
    ranges = AugmentRanges(horizontal_flip=True, brightness_range=(1.0, 1.0))
    images = torch.randint(0, 256, (4, 30, 30, 3), generator=torch.Generator().manual_seed(0)).float()
    params = ranges.draw(1, 0, np.arange(4), 30, 30)
    whole = ranges.apply(images, params)
    torch.testing.assert_close(ranges.apply(images, params, View((28, 28), (28, 28))), whole[:, :28, :28])


def test_an_image_that_stays_is_brought_to_the_size_too() -> None:
    ranges = AugmentRanges(horizontal_flip=True)
    params = ranges.draw(1, 0, np.arange(8), 8, 8)
    images = torch.arange(8.0)[None, :, None, None].expand(8, 8, 8, 3)
    assert params.flip_h.any() and not params.flip_h.all()
    small = ranges.apply(images, params, View((8, 8), (4, 4)))
    torch.testing.assert_close(small[..., 0], torch.tensor([0.5, 2.5, 4.5, 6.5])[None, :, None].expand(8, 4, 4))


@pytest.mark.soak
def test_a_run_that_grows_resumes_exactly_and_keeps_the_network(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    stop_at: list[int] = []
    real = keras.Model.training_step

    def noting(self: Any, batch: Any, batch_idx: int = 0) -> Any:
        seen.append(tuple(batch[0].shape[1:3]))
        if self.current_epoch in stop_at:
            raise KeyboardInterrupt
        return real(self, batch, batch_idx)

    monkeypatch.setattr(keras.Model, "training_step", noting)
    settings = [*SMALL, "progressive_resizing=[0.5,0.75,1,1]"]
    run = train(str(data), overrides=settings, out=str(tmp_path / "whole"))
    assert list(dict.fromkeys(seen)) == [(11, 11), (16, 16), (22, 22)]
    stop_at.append(2)
    with pytest.raises(TrainingInterrupted):
        train(str(data), overrides=settings, out=str(tmp_path / "parts"))
    stop_at.clear()
    train(str(data), resume=str(tmp_path / "parts" / "last.ckpt"))
    whole, parts = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["state_dict"] for name in ("whole", "parts")
    )
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=0, atol=0)
    model = keras.models.load_model(str(run.folder / "best.ckpt"))
    assert model.input_shape == (None, 25, 25, 3)
    assert not any(layer._forward_pre_hooks for layer in model.layers)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["progressive_resizing=[0.5,0.9]"], "expected the last share to be 1, .*, or recalibrate_batchnorm: true"),
        (["progressive_resizing=[0.1,1]"], "too small for 4 blocks, which need 46 x 46 of 142 x 142"),
        (["progressive_resizing=[0.5,1]", "architecture=resnet50"], "expected architecture: paper"),
        (["progressive_resizing=[2,1]"], "less than or equal to 1"),
    ],
)
def test_impossible_sizes_are_refused(settings: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("paper", settings)


def test_images_may_stay_smaller_where_the_statistics_are_those_of_whole_ones() -> None:
    recipe = load_recipe("paper", [*SMALL, "progressive_resizing=[0.5,0.75]", "recalibrate_batchnorm=true"])
    sizes = progressive_sizes(recipe)
    assert sizes is not None
    assert sizes.size_in(recipe.training.epochs - 1) == (16, 16)
