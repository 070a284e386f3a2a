"""A tiny folder of pictures, and a way to run `python -m scene_lightning program` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """seg_train and seg_test, six classes of noise whose brightness differs."""
    folder = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(0)
    for split, count in (("seg_train", 8), ("seg_test", 3)):
        for number, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = (rng.random((50, 50, 3)) * 60 + 30 * number).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{index}.jpg")
    return folder


@pytest.fixture
def run(tmp_path: Path, scenes: Path) -> Run:
    """`run(*words, env={})` → the finished `python -m scene_lightning *words`, started in an empty folder."""

    def start(*words: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        settings = {"PYTHONPATH": str(ROOT), "SCENES": str(scenes), "SCENES_OUT": str(tmp_path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "scene_lightning", *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, env={**os.environ, **settings, **(env or {})}, text=True,
                              capture_output=True, timeout=240)  # fmt: skip

    return start
