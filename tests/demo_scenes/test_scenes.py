"""The demo's data set: how many pictures, where, and that a seed decides every pixel."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.demo_scenes.scenes import SCENE_NAMES, draw_scene, draw_scenes
from scene_lightning.errors import DataError


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(np.asarray(Image.open(path)).tobytes()).hexdigest()
        for path in sorted(folder.rglob("*.jpg"))
    }


def test_counts_places_and_sizes(tmp_path: Path):
    counts = draw_scenes(tmp_path, 3, test_per_class=2, predict=4, size=40)
    assert counts == {"seg_train": 18, "seg_test": 12, "seg_pred": 4}
    assert sorted(path.name for path in (tmp_path / "seg_train").iterdir()) == list(SCENE_NAMES)
    for name in SCENE_NAMES:
        assert len(list((tmp_path / "seg_train" / name).glob("*.jpg"))) == 3
        assert len(list((tmp_path / "seg_test" / name).glob("*.jpg"))) == 2
    assert len(list((tmp_path / "seg_pred").glob("*.jpg"))) == 4
    assert not list(tmp_path.rglob("*.part*"))
    with Image.open(tmp_path / "seg_pred" / "0000.jpg") as image:
        assert (image.size, image.mode) == ((40, 40), "RGB")


def test_the_seed_decides_every_pixel_and_more_pictures_change_none(tmp_path: Path):
    for folder, per_class, seed in (("a", 2, 1), ("b", 2, 1), ("c", 2, 2), ("d", 3, 1)):
        draw_scenes(tmp_path / folder, per_class, test_per_class=1, predict=1, size=32, seed=seed)
    first, again, other, more = (fingerprint(tmp_path / folder) for folder in "abcd")
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)
    assert {name: more[name] for name in first} == first
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize("kind", SCENE_NAMES)
def test_every_scene_draws_at_every_number_and_is_no_flat_surface(kind: str):
    for number in range(25):
        pixels = np.asarray(draw_scene(kind, number, size=32, seed=5))
        assert pixels.shape == (32, 32, 3)
        assert pixels.std() > 8
        assert 15 < pixels.mean() < 240


def test_classes_can_be_told_apart_by_simple_means():
    """A nearest-centroid rule on tiny pictures beats guessing (1/6) well, and is far from perfect."""
    small = {
        kind: np.stack([np.asarray(draw_scene(kind, n, size=32).resize((8, 8)), float).ravel() for n in range(60)])
        for kind in SCENE_NAMES
    }
    centres = np.stack([pictures[:40].mean(axis=0) for pictures in small.values()])
    right = [
        np.linalg.norm(centres - picture, axis=1).argmin() == label
        for label, pictures in enumerate(small.values())
        for picture in pictures[40:]
    ]
    assert 0.35 < np.mean(right) < 0.9


def test_impossible_requests_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="at least one picture"):
        draw_scenes(tmp_path, 0)
    with pytest.raises(DataError, match="16 pixels"):
        draw_scenes(tmp_path, 1, size=8)
