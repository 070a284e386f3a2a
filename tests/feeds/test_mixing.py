"""Mixup and CutMix on NHWC batches with one-hot targets."""

from __future__ import annotations

import numpy as np
import torch

from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.color_changes import change_contrast, change_saturation
from scene_lightning.data.sources import ArraySource
from scene_lightning.data.standardize import Standardize
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.feeds.mixing import mixer


def plain_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Image i is i everywhere, and of class i: what became of it can be read off."""
    x = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 8, 8, 3).contiguous()
    return x, torch.eye(4)


def test_nothing_asked_for_is_nothing_done() -> None:
    assert mixer(0, 0, 4) is None


def test_mixup_mixes_images_and_targets_alike() -> None:
    mix = mixer(0.4, 0, 4)
    assert mix is not None
    torch.manual_seed(0)
    x, y = mix(*plain_batch())
    assert x.shape == (4, 8, 8, 3)
    assert x.is_contiguous()
    torch.testing.assert_close(y.sum(1), torch.ones(4))
    torch.testing.assert_close(x[:, 0, 0, 0], y @ torch.arange(4.0))
    assert (y.max(1).values < 1).all()


def test_cutmix_gives_the_share_of_the_area_to_the_target() -> None:
    mix = mixer(0, 1.0, 4)
    assert mix is not None
    torch.manual_seed(1)
    x, y = mix(*plain_batch())
    for image, target in zip(x, y, strict=True):
        levels, counts = image[..., 0].unique(return_counts=True)
        assert len(levels) <= 2
        for level, count in zip(levels, counts, strict=True):
            assert abs(count.item() / 64 - target[int(level)].item()) < 1e-5


def test_a_feed_mixes_in_training_only_and_repeats_with_the_seed() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    feed = ImageFeed(ArraySource(images), np.eye(6, dtype=np.float32), batch_size=6, mix=mixer(0.4, 1.0, 6))
    (batch,) = feed.batches(0)
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        found.append(feed.to_device_batch(batch, 0, training=True))
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.equal(found[0][1], torch.eye(6))
    assert torch.equal(feed.to_device_batch(batch, 0, training=False)[1], torch.eye(6))


def test_contrast_and_saturation_turn_about_their_greys() -> None:
    x = torch.tensor([[[[100.0, 140.0]], [[100.0, 140.0]], [[100.0, 140.0]]]])  # one grey image, two pixels
    torch.testing.assert_close(change_contrast(x, torch.full((1, 1, 1, 1), 0.5))[0, 0, 0], torch.tensor([110.0, 130.0]))
    torch.testing.assert_close(change_saturation(x, torch.full((1, 1, 1, 1), 0.3)), x)
    red = torch.tensor([[[[200.0]], [[0.0]], [[0.0]]]])
    torch.testing.assert_close(
        change_saturation(red, torch.zeros(1, 1, 1, 1))[0, :, 0, 0], torch.full((3,), 0.299 * 200)
    )
    assert change_contrast(red, torch.full((1, 1, 1, 1), 9.0)).max() <= 255


def test_colours_change_without_moving_anything_else() -> None:
    plain = AugmentRanges(zoom_range=(0.8, 1.2), horizontal_flip=True)
    coloured = AugmentRanges(zoom_range=(0.8, 1.2), horizontal_flip=True, contrast_range=0.3, saturation_range=0.3)
    indices = np.arange(50)
    one, other = (ranges.draw(7, 2, indices, 10, 10) for ranges in (plain, coloured))
    np.testing.assert_array_equal(one.zx, other.zx)
    np.testing.assert_array_equal(one.flip_h, other.flip_h)
    assert one.contrast is None
    assert other.contrast is not None
    assert other.saturation is not None
    assert 0.7 <= other.contrast.min() < 0.8 < 1.2 < other.contrast.max() <= 1.3
    assert abs(np.corrcoef(other.contrast, other.saturation)[0, 1]) < 0.4
    assert not AugmentRanges(saturation_range=0.1).is_identity()


def test_mirrored_images_are_mirrored() -> None:
    x = torch.arange(6.0).view(1, 1, 3, 2)
    assert torch.equal(Standardize(mirrored=True)(x), x.flip(2))
