"""Generated photographs: smooth shapes with fine grain, so that interpolation has something to get wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W, 3) uint8."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height), 3)
    grain = random.integers(-25, 26, (height, width, 3))
    return (np.asarray(coarse).astype(int) + grain).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def pictures() -> Callable[[int, int, int], np.ndarray]:
    """(count, H, W) → (count, H, W, 3) uint8."""
    return lambda count, height, width: np.stack([picture(height, width, seed) for seed in range(count)])


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """root/{forest,glacier,sea}: 5, 4 and 6 images of several sizes and formats, beside things that are none."""
    root = tmp_path / "scenes"
    for name, count in {"forest": 5, "glacier": 4, "sea": 6}.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            ending = "png" if number == 1 else "jpg"
            Image.fromarray(picture(20 + number, 24, number)).save(root / name / f"{number}.{ending}")
    (root / "sea" / ".DS_Store").write_bytes(b"\0" * 8)
    (root / "sea" / "notes.txt").write_text("no image")
    (root / ".ipynb_checkpoints").mkdir()
    Image.fromarray(picture(8, 8, 0)).save(root / ".ipynb_checkpoints" / "hidden.jpg")
    return root
