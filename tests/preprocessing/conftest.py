"""Folders of generated pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _picture(height: int, width: int, seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize((width, height), 3)


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """root/{Sea,forest,glacier,.hidden,empty}, nested folders, odd names, a file beside the classes."""
    root = tmp_path / "scenes"
    names = {
        "Sea": ["10.jpg", "2.jpg", "x/1.png", "b.PNG", ".h.jpg"],
        "forest": ["foopng", "a.jpeg", "c.gif", "d.txt", "e.bmp", "f.jpg"],
        "glacier": ["1.jpg", "2.jpg", "3.jpg"],
        ".hidden": ["1.jpg"],
        "empty": [],
    }
    seed = 0
    for name, files in names.items():
        (root / name).mkdir(parents=True)
        for file in files:
            path = root / name / file
            path.parent.mkdir(exist_ok=True)
            kind = {"foopng": "PNG", "d.txt": "PNG"}.get(file)
            _picture(20 + seed, 30, seed).save(path, format=kind)
            seed += 1
    (root / "loose.jpg").write_bytes(b"")
    return root
