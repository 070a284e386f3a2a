"""Memory that is freed is kept for the next batch, whichever threads compute it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PREDICT_AGAIN_AND_AGAIN = """
import resource, sys
import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.inference.predict import predict

model = keras.Sequential([
    keras.Input((150, 150, 3)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(8), layers.Flatten(),
    layers.Dense(256), layers.Dense(2, activation="softmax"),
])
model.image_info = {"class_names": ["a", "b"], "input_size": [150, 150], "rescale": 1 / 255}
folder = sys.argv[1]
model.save(folder + "/model.keras")
import torch
torch.set_num_threads(2)
for _ in range(7):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    predict(folder + "/model.keras", [folder + "/photographs"], out=folder + "/answers.csv")
    print("faults", resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_a_folder_predicted_again_needs_no_new_pages(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    (tmp_path / "photographs").mkdir()
    for number in range(192):
        Image.fromarray(pixels).save(tmp_path / "photographs" / f"{number}.png")
    asked = [sys.executable, "-c", PREDICT_AGAIN_AND_AGAIN, str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(asked, capture_output=True, text=True, check=True, env=environment)
    faults = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("faults")]
    # A batch of activations is 90 MB, 22,000 pages, and there are six. The heap may grow in some of the calls.
    assert len(faults) == 7 and min(faults[1:]) < 10_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_the_switch_leaves_the_c_library_alone() -> None:
    code = """
import ctypes, importlib, os
from unittest import mock
import scene_lightning.fast
for switch in "01":
    os.environ["SCENE_LIGHTNING_FAST"] = switch
    importlib.reload(scene_lightning.fast.switch)
    with mock.patch("ctypes.CDLL") as library:
        importlib.reload(scene_lightning.fast)
    print(library.return_value.mallopt.call_count)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "3"]
