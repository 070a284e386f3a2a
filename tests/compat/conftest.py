"""A tiny folder of pictures, and a way to run `python -m scene_lightning program` in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

from tests.programs import run_program

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
Run = Callable[..., "CompletedProcess[str]"]


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

    def start(*words: object, env: dict[str, str] | None = None, fork: bool = True) -> CompletedProcess[str]:
        settings = {"SCENES": str(scenes), "SCENES_OUT": str(tmp_path), **(env or {})}
        return run_program(*words, cwd=tmp_path, env=settings, fork=fork)

    return start
