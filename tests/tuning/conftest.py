"""What the tests of a search share: drawn scenes, a small recipe and a small search space."""

from __future__ import annotations

from pathlib import Path

import pytest

from scene_lightning.demo_scenes.scenes import draw_scenes
from tests.tuning.searches import RECIPE, SPACE


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scenes/{seg_train,seg_test}, of which nothing in seg_test can be read, tiny.yaml and space.yaml."""
    folder = tmp_path_factory.mktemp("tuning")
    draw_scenes(folder / "scenes", 8, test_per_class=2, predict=1, size=24)
    for path in (folder / "scenes" / "seg_test").rglob("*.jpg"):
        path.write_text("whoever opens this has looked at the test images")
    (folder / "tiny.yaml").write_text(RECIPE)
    (folder / "space.yaml").write_text(SPACE)
    return folder


@pytest.fixture
def here(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and a cache of this module's own."""
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(place / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
